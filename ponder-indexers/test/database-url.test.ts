// How the database is connected to, by where it is.
import assert from "node:assert/strict";
import { test } from "node:test";
import pg from "pg";
import { databaseUrl } from "../src/database-url.ts";

test("a database elsewhere is verified unless the mode is written", () => {
  for (const url of [
    "postgres://u:p@db/x",
    "postgres://u:p@10.0.0.1:5433/x?application_name=a",
    "postgres://u:p@[fd00::1]/x",
    "postgres://u:p@localhost/x?host=db",
    "postgres://u:p@localhost./x",
    "postgres://u:p@127.0.0.1.example.org/x",
    "postgres://u:p@127.0.0.256/x",
    "postgres://u:p@0.0.0.0/x",
  ]) {
    const given = new URL(databaseUrl({ DATABASE_URL: url }));
    assert.equal(given.searchParams.get("sslmode"), "verify-full", url);
    assert.equal(given.password, "p");
    const written = `${url}${url.includes("?") ? "&" : "?"}sslmode=disable`;
    assert.equal(databaseUrl({ DATABASE_URL: written }), written);
    const byVariable = new URL(databaseUrl({ DATABASE_URL: url, PGSSLMODE: "disable" }));
    assert.equal(byVariable.searchParams.get("sslmode"), "disable");
  }
  const given = databaseUrl({ DATABASE_URL: "postgres:///x", PGHOST: "db" });
  assert.match(given, /sslmode=verify-full/);
});

test("a database on this machine is connected to as before", () => {
  for (const url of [
    "postgres://u:p@localhost/x",
    "postgres://u:p@LOCALHOST/x",
    "postgres://u:p@127.3.2.1/x",
    "postgres://u:p@[::1]/x",
    "postgres://u:p@[::ffff:127.0.0.1]/x",
    "postgres://u:p@[::ffff:7f00:1]/x",
    "postgres://u:p@%2Frun%2Fpostgresql/x",
    "postgres://u:p@db/x?host=/run/postgresql",
    "postgres:///x",
  ]) {
    assert.equal(databaseUrl({ DATABASE_URL: url }), url);
  }
});

test("what is no URL is refused without being quoted", () => {
  const refused = { message: "DATABASE_URL: is not a URL" };
  assert.throws(() => databaseUrl({ DATABASE_URL: "postgres://u:hunter2@h:port/x" }), refused);
});

test("a scheme whose host the driver finds elsewhere is refused", () => {
  const refused = { message: /^DATABASE_URL: has to begin with postgres:/ };
  for (const url of ["socket:db/x", "http://db/x"]) {
    assert.throws(() => databaseUrl({ DATABASE_URL: url }), refused);
  }
});

/** Whether the driver encrypts, given this URL and the variable as it is. */
function isEncrypted(url: string, variable: string): boolean {
  process.env.PGSSLMODE = variable;
  try {
    const client = new pg.Client({ connectionString: url });
    return Boolean((client as unknown as { ssl: unknown }).ssl);
  } finally {
    delete process.env.PGSSLMODE;
  }
}

/** The first spelling of a mode of which the driver makes something else. */
function firstMisread(given: typeof databaseUrl): string | undefined {
  const url = "postgres://u:p@db/x";
  for (const mode of ["allow", "prefer", "require", "verify-ca", "verify-full", "disable"]) {
    for (const cased of [mode, mode.toUpperCase(), mode.replace(/^./, c => c.toUpperCase())]) {
      for (const [before, after] of [
        ["", ""],
        ["", " "],
        ["", "\r"],
        ["\t", "\r\n"],
        ["\u00a0", ""],
      ]) {
        const written = `${before}${cased}${after}`;
        const inUrl = `${url}?sslmode=${encodeURIComponent(written)}`;
        const byVariable = given({ DATABASE_URL: url, PGSSLMODE: written });
        const byUrl = given({ DATABASE_URL: inUrl, PGSSLMODE: "" });
        const expected = mode !== "disable";
        if (isEncrypted(byVariable, written) !== expected) return JSON.stringify(written);
        if (isEncrypted(byUrl, "") !== expected) return inUrl;
      }
    }
  }
  return undefined;
}

test("the driver takes a mode as we read it, however it is written", () => {
  assert.equal(firstMisread(databaseUrl), undefined);
  const asBefore = (environment: { DATABASE_URL?: string }) => environment.DATABASE_URL ?? "";
  assert.notEqual(firstMisread(asBefore), undefined, "a URL that leaves it to the driver");
  for (const variable of ["", " ", "\r\n"]) {
    const given = databaseUrl({ DATABASE_URL: "postgres://u:p@db/x", PGSSLMODE: variable });
    assert.ok(isEncrypted(given, variable), JSON.stringify(variable));
  }
});

test("a mode that the driver takes for none is refused", () => {
  const url = "postgres://u:p@db/x";
  for (const variable of ["on", "verify_full", "verify-full;", "no-verify", "true", "0"]) {
    const refused = { message: /^PGSSLMODE: has to be one of disable, allow,/ };
    assert.throws(() => databaseUrl({ DATABASE_URL: url, PGSSLMODE: variable }), refused);
    const localhost = "postgres://u:p@localhost/x";
    assert.throws(() => databaseUrl({ DATABASE_URL: localhost, PGSSLMODE: variable }), refused);
  }
  for (const query of ["sslmode=", "sslmode", "sslmode=on", "sslmode=verify-full&sslmode="]) {
    const refused = { message: /^DATABASE_URL: sslmode has to be one of disable,/ };
    assert.throws(() => databaseUrl({ DATABASE_URL: `${url}?${query}` }), refused, query);
  }
  for (const query of ["ssl=", "ssl", "ssl=false", "ssl=TRUE", "ssl=true&ssl="]) {
    const refused = { message: /^DATABASE_URL: ssl has to be one of true,/ };
    assert.throws(() => databaseUrl({ DATABASE_URL: `${url}?${query}` }), refused, query);
  }
  for (const query of ["ssl=true", "ssl=1", "ssl=no-verify"]) {
    assert.ok(isEncrypted(databaseUrl({ DATABASE_URL: `${url}?${query}` }), ""), query);
  }
});
