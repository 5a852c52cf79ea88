// How the database is connected to, by where it is.
import assert from "node:assert/strict";
import { test } from "node:test";
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
    assert.equal(databaseUrl({ DATABASE_URL: url, PGSSLMODE: "disable" }), url);
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
