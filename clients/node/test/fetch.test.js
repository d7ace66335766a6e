// What fetch sends reaches a server that verifies it.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { test } from "node:test";
import { RequestSigner, signedFetch } from "../src/index.js";
import { ReferenceServer } from "./reference-server.js";
import { CREDENTIALS } from "./support.js";

const fetch = signedFetch(new RequestSigner(CREDENTIALS, { methods: ["PATCH"] }));

/** Sends a request and returns what the server received. */
async function send(server, target, init) {
  const answer = await fetch(server.url + target, init);
  assert.deepEqual([answer.status, server.refusals], [200, []]);
  return answer.json();
}

test("methods, targets and bodies", () =>
  new ReferenceServer().run(async (server) => {
    const bodies = [
      undefined,
      "",
      "hello",
      "hällo",
      Buffer.alloc(100_000, 255),
      new ArrayBuffer(3),
      new URLSearchParams("a=b c"),
      new Blob(["x"]),
    ];
    for (const method of ["GET", "DELETE", "POST", "PUT", "PATCH", "OPTIONS"]) {
      for (const target of ["/", "//a", "/a//b/../%2f%41%7e;x+y", "/q?b=1&a=x+y%2Bz&&k&=v&b=2"]) {
        for (const body of method === "GET" ? [undefined] : bodies) {
          const seen = await send(server, target, { method, body, headers: { "x-note": "two  words" } });
          const size = body?.byteLength ?? body?.size ?? Buffer.byteLength(body?.toString() ?? "");
          assert.equal(seen.length, body instanceof URLSearchParams ? 5 : size);
          const fields = new Map(seen.fields);
          assert.match(fields.get("dynata-nonce"), /^[0-9a-f]{32}$/);
          assert(fields.has("content-digest"));
        }
      }
    }
  }));

test("what fetch adds for other fields and options is signed", () =>
  new ReferenceServer().run(async (server) => {
    const json = { "content-type": "application/json" };
    const inits = [
      { headers: { range: "bytes=0-1" } },
      { headers: { range: "bytes=0-1", "accept-encoding": "gzip" } },
      { headers: { "if-none-match": '"x"' } },
      ...["no-store", "reload", "no-cache", "force-cache"].map((cache) => ({ cache })),
      { method: "POST", body: "{}", headers: json },
      { headers: { accept: "text/html", "user-agent": "mine", "accept-language": "de" } },
      {
        headers: [
          ["x-list", "a"],
          ["x-list", "b"],
        ],
      },
      { headers: { cookie: "a=b" } },
      { mode: "no-cors" },
      { keepalive: true },
      { credentials: "include" },
      { referrerPolicy: "unsafe-url" },
    ];
    for (const init of inits) await send(server, "/", init);
  }));

test("what fetch replaces is signed as it is sent", () =>
  new ReferenceServer().run(async (server) => {
    for (const [name, given, sent] of [
      ["connection", "close", "close"],
      ["connection", "Close", "close"],
      ["connection", "close, x", "close"],
      ["connection", "Keep-Alive", "keep-alive"],
      ["sec-fetch-mode", "navigate", "cors"],
    ]) {
      const seen = await send(server, "/", { headers: { [name]: given } });
      assert.deepEqual(
        seen.fields.filter(([found]) => found.toLowerCase() === name).map(([, value]) => value),
        [sent],
        given,
      );
    }
  }));

test("a file and a stream are not held", () =>
  new ReferenceServer().run(async (server) => {
    const path = join(tmpdir(), `framesign-fetch-${process.pid}`);
    const data = Buffer.alloc(1_000_000, "x");
    fs.writeFileSync(path, data);
    // Node 18 has none that is a file.
    const blob = fs.openAsBlob ? await fs.openAsBlob(path) : new Blob([data]);
    assert.equal((await send(server, "/", { method: "PUT", body: blob })).length, data.length);
    fs.rmSync(path);
    const sha256 = createHash("sha256").update(data).digest();
    for (const make of [
      () => Readable.toWeb(Readable.from([data, data.subarray(0, 0)])),
      () => Readable.from([data]),
    ]) {
      const seen = await send(server, "/", { method: "PUT", body: make(), sha256, length: data.length });
      assert.equal(seen.length, data.length);
    }
  }));

test("a body that cannot be signed is an error", () =>
  new ReferenceServer().run(async (server) => {
    const put = (body) => fetch(server.url, { method: "PUT", body });
    await assert.rejects(put(Readable.from(["x"])), /`sha256` and `length`/);
    await assert.rejects(put(new FormData()), /new Response\(form\)\.blob/);
    await assert.rejects(fetch(new Request(server.url, { method: "PUT", body: "x" })), /give the URL/);
    await assert.rejects(fetch(server.url, { headers: { "dynata-date": "20230801" } }), /already/);
    assert.deepEqual(server.seen, []);
  }));

test("a form, as the error says", () =>
  new ReferenceServer().run(async (server) => {
    const form = new FormData();
    form.append("a", "b");
    const seen = await send(server, "/", { method: "POST", body: await new Response(form).blob() });
    assert.match(new Map(seen.fields).get("content-type"), /^multipart\/form-data; ?boundary=/i);
  }));

test("a redirect is not followed, or refused", () =>
  new ReferenceServer().run(async (server) => {
    assert.equal((await fetch(`${server.url}/moved`)).status, 307);
    assert.equal((await fetch(`${server.url}/moved`, { redirect: "follow" })).status, 401);
    assert.deepEqual(server.refusals, ["signature"]);
  }));

test("Connection is left out for a proxy", () =>
  new ReferenceServer().run(async (server) => {
    // Without a proxy, fetch sends it all the same, and nobody has signed it.
    const viaProxy = signedFetch(new RequestSigner(CREDENTIALS), { viaProxy: true });
    for (const connection of [undefined, "close", "keep-alive"]) {
      const headers = connection ? { connection } : {};
      assert.equal((await viaProxy(server.url, { headers })).status, 401);
    }
  }));
