// How nodes are named: their URLs, keys of the environment in them, their headers.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: that is how the file names a variable
import assert from "node:assert/strict";
import { test } from "node:test";
import { Reader } from "../src/chain/reader.ts";
import { type RpcUrl, rpcUrls } from "../src/chain/rpc-url.ts";
import { ConfigError, type Environment } from "../src/config.ts";

test("a URL takes values of the environment", () => {
  const key = { KEY: "0123456789abcdef", HOST: "a.example:8080", P: "a@b/c:d%?#" };
  const cases = [
    ["https://a.example/v3/${KEY}", "https://a.example/v3/0123456789abcdef"],
    ["https://a.example/?k=${KEY}&x=$KEY", "https://a.example/?k=0123456789abcdef&x=$KEY"],
    ["http://${HOST}/${KEY}/", "http://a.example:8080/0123456789abcdef/"],
    ["wss://me:${P}@a.example/", "wss://me:a%40b%2Fc%3Ad%25%3F%23@a.example/"],
  ] as const;
  for (const [written, url] of cases) {
    assert.deepEqual(read(`"${written}"`, key), [{ url, headers: {}, hasValues: true }]);
  }
  refused('"wss://a.example/x@y/${P}"', "rpc_urls[0]: has a #", key);
  const whole = { URL: " https://a.example/v3/key\n", BASE: "https://b.example" };
  assert.equal(read('"${URL}"', whole)[0]?.url, "https://a.example/v3/key");
  assert.equal(read('"${BASE}/rpc"', whole)[0]?.url, "https://b.example/rpc");
  const [both] = read('"ws://${LOGIN}@a.example/"', { LOGIN: "me:p@ss" });
  assert.equal(both?.url, "ws://me:p%40ss@a.example/");
});

test("user and password are sent by HTTP as a header, which fetch does not do", () => {
  const authorization = (text: string) => `Basic ${Buffer.from(text).toString("base64")}`;
  const cases: [string, string][] = [
    ["https://me:${P}@a.example/", "me:a@b/c:d%?#ö"],
    ["https://me:p%C3%B6%zz@a.example/", "me:pö%zz"],
    ["https://:p@a.example/", ":p"],
    ["https://me@a.example/", "me:"],
  ];
  for (const [written, text] of cases) {
    const [found] = read(`"${written}"`, { P: "a@b/c:d%?#ö" });
    assert.equal(found?.url, "https://a.example/");
    assert.deepEqual(found?.headers, { authorization: authorization(text) }, written);
  }
});

test("a placeholder without a value is refused by its name, and no value is quoted", () => {
  const variables = { EMPTY: " ", LINES: "s3cret\ns3cret" };
  for (const [written, reason] of [
    ["https://a.example/${KEY}", "${KEY} is not set in the environment"],
    ["https://a.example/${EMPTY}", "${EMPTY} is not set in the environment"],
    ["https://a.example/${LINES}", "${LINES} has a control character in its value"],
    ["https://a.example/${KEY", "has a ${ that is not followed by a name"],
    ["https://a.example/${}", "has a ${ that is not followed by a name"],
    ["https://a.example/${a b}", "has a ${ that is not followed by a name"],
    ["https://a.example/${1}", "has a ${ that is not followed by a name"],
  ] as const) {
    refused(`"${written}"`, `f.toml: rpc_urls[0]: ${reason}`, variables);
  }
  for (const written of ['"${S}"', '"https://${S}/"', '{ url = "https://a/#${S}" }']) {
    refused(written, "f.toml: rpc_urls[0]", { S: "a s3cret" });
  }
  const header = '{ url = "https://a/", headers = { k = "ö ${S}" } }';
  refused(header, "f.toml: rpc_urls[0].headers.k: is no value of a header", { S: "s3cret" });
});

test("a URL may have headers", () => {
  const [found] = read(
    '{ url = "https://me@a.example/", headers = { X-Key = " ${K} ", accept = "a/b" } }',
    { K: "1" },
  );
  const authorization = `Basic ${Buffer.from("me:").toString("base64")}`;
  assert.deepEqual(found, {
    url: "https://a.example/",
    headers: { authorization, "x-key": "1", accept: "a/b" },
    hasValues: true,
  });
  const bare = { url: "wss://a.example/", headers: {}, hasValues: false };
  assert.deepEqual(read('{ url = "wss://a.example/", headers = {} }'), [bare]);
});

test("headers that cannot be sent are refused", () => {
  for (const [headers, key, reason] of [
    ['Host = "b.example"', "Host", "is set by the connection, and cannot be chosen"],
    ['Sec-WebSocket-Key = "x"', "Sec-WebSocket-Key", "is set by the connection"],
    ['"a b" = "x"', "a b", "is no name of a header"],
    ['a = "x", A = "x"', "A", "is there twice: case does not count"],
    ['a = ""', "a", "has to have 1 to 8192 bytes"],
    ['a = "x\\ny"', "a", "is no value of a header"],
    ["a = 1", "a", "has to be a string"],
    ['a = "${KEY}"', "a", "${KEY} is not set"],
  ] as const) {
    const written = `{ url = "https://a.example/", headers = { ${headers} } }`;
    refused(written, `f.toml: rpc_urls[0].headers.${key}: ${reason}`);
  }
  const header = 'headers = { authorization = "Bearer x" }';
  const user = `{ url = "https://u:p@a.example/", ${header} }`;
  refused(user, "headers.authorization: stands beside a user in the URL");
  const websocket = `"https://a.example/", { url = "wss://a.example/", ${header} }`;
  refused(websocket, "f.toml: rpc_urls[1].headers: cannot be sent by websocket here: give the");
  refused("{ headers = {} }", "f.toml: rpc_urls[0].url: is missing");
  refused('{ url = "https://a/", header = {} }', "rpc_urls[0].header: is unknown here");
});

test("a URL that leads to no node is refused, and so is one that is there twice", () => {
  refused('"http://a.example:0/"', "rpc_urls[0]: has port 0");
  refused('"http://a.example/#"', "rpc_urls[0]: has a #, and what follows is sent to no node");
  refused('"http://"', "rpc_urls[0]: is not an http, https, ws or wss URL");
  refused("", "rpc_urls: is empty, and has to have a URL");
  refused(Array(17).fill('"https://a/"').join(), "rpc_urls: has 17 entries, and may have 16");
  const said = "f.toml: rpc_urls[2]: is the same as rpc_urls[0]: leave one of them";
  for (const urls of [
    '"https://a.example/x", "https://b.example/", "https://a.example/x"',
    '"https://a.example", "https://b.example/", "HTTPS://A.example:443/"',
    '"https://a.example", "https://b.example/", { url = "https://a.example/" }',
  ]) {
    refused(urls, said);
  }
  const key = (value: number) => `{ url = "https://a/", headers = { k = "${value}" } }`;
  assert.equal(read(`${key(1)}, ${key(2)}, "wss://a/"`).length, 3);
});

function read(urls: string, environment: Environment = {}): RpcUrl[] {
  return rpcUrls(Reader.of(`rpc_urls = [${urls}]`, "f.toml"), environment);
}

function refused(urls: string, message: string, environment: Environment = {}): void {
  assert.throws(
    () => read(urls, environment),
    (error: Error) =>
      error instanceof ConfigError &&
      error.message.includes(message) &&
      !error.message.includes("s3cret"),
    message,
  );
}
