// Uploads to servers whose answers are wrong.

import assert from "node:assert/strict";
import { test } from "node:test";
import { contentDigest } from "../src/index.js";
import { LAST, LENGTH, PART, changing, counts, errorOf, failing, run, send, sendWhole } from "./uploads.js";

const HTML = [200, { "content-type": "text/html" }, "<p>Log in"];
const isAt = (request, offset) => request.headers["upload-offset"] === String(offset);

test("a creation must say where the upload is", async () => {
  for (const [location, words] of [
    [undefined, "no Location"],
    ["http://elsewhere.test/uploads/1", "another server"],
    ["//elsewhere.test/uploads/1", "another server"],
    ["https://127.0.0.1/uploads/1", "another server"],
    ["http://user@127.0.0.1/uploads/1", "Location"],
    ["http://", "Location"],
    ["http:/x", "Location"],
    ["///x", "Location"],
    ["http://127.0.0.1:port/", "Location"],
    ["/uploads/../1", "dot segments"],
    ["./1", "dot segments"],
    ["/uploads/%2E%2e/1", "dot segments"],
    ["/a b", "visible ASCII"],
    ["/\u00e4", "visible ASCII"],
    ["\\uploads\\1", "visible ASCII"],
  ]) {
    await run(async (server) => {
      server.after = changing("POST", { location });
      await errorOf(server, words);
      assert.deepEqual(counts(server, "POST", "PATCH"), [1, 0]);
    });
  }
});

test("an offset must be one that was sent", async () => {
  for (const [offset, words] of [
    ["1001", "another number"],
    ["x", "Upload-Offset"],
    ["-1", "Upload-Offset"],
  ]) {
    await run(async (server) => {
      server.before = failing("PATCH", 9, 503);
      server.after = changing("HEAD", { "upload-offset": offset });
      await errorOf(server, words);
    });
  }
});

test("fields of an answer are items on one line", () =>
  run(async (server) => {
    server.before = failing("PATCH", 1, 503);
    server.after = changing("HEAD", { "upload-offset": "0;note=x", "upload-complete": "?0;x" });
    await sendWhole(server);
  }));

test("an upload that is complete early is an error", async () => {
  for (const [at, offset, isRight] of [
    [0, PART, false],
    [LAST, LAST, false],
    [LAST, LENGTH - 1, false],
    [LAST, LENGTH, true],
  ]) {
    await run(async (server) => {
      server.before = (request) => (isAt(request, at) ? [503] : undefined);
      server.after = changing("HEAD", { "upload-offset": String(offset), "upload-complete": "?1" });
      if (isRight) {
        const { length, isConfirmed } = await send(server);
        assert.deepEqual([length, isConfirmed], [LENGTH, false]);
      } else {
        assert.equal((await errorOf(server, "complete early")).canBeResumed, false);
      }
    });
  }
});

test("a success that says nothing of a part is asked for", async () => {
  for (const offset of [0, PART, LAST]) {
    await run(async (server) => {
      let left = 1;
      server.before = (request) => (isAt(request, offset) && left-- > 0 ? HTML : undefined);
      assert((await sendWhole(server)).isConfirmed);
      assert.deepEqual(counts(server, "HEAD", "PATCH"), [1, 4]);
    });
  }
});

test("a success of somebody else is never an upload", async () => {
  for (const offset of [0, LAST]) {
    await run(async (server) => {
      let hasBegun = false;
      server.before = (request) => ((hasBegun ||= isAt(request, offset)) ? HTML : undefined);
      assert.equal((await errorOf(server, "Upload-Offset")).canBeResumed, true);
    });
  }
});

test("one field of the upload is enough", async () => {
  for (const [removed, heads] of [
    [["upload-offset"], 0],
    [["upload-complete"], 0], // The last one has the right hash.
    [["upload-offset", "upload-complete"], 2],
    [["upload-offset", "upload-complete", "repr-digest"], 3],
  ]) {
    await run(async (server) => {
      server.after = changing("PATCH", Object.fromEntries(removed.map((name) => [name, undefined])));
      assert((await sendWhole(server)).isConfirmed);
      assert.deepEqual(counts(server, "HEAD", "PATCH"), [heads, 3]);
    });
  }
});

test("a success of another part is looked at", async () => {
  await run(async (server) => {
    const change = changing("PATCH", { "upload-offset": "7" });
    server.after = (request, fields) => isAt(request, PART) && change(request, fields);
    await sendWhole(server);
    assert.deepEqual(counts(server, "HEAD", "PATCH"), [1, 3]);
  });
  await run(async (server) => {
    server.before = failing("PATCH", 99, 204, { "upload-offset": 7, "upload-complete": "?0" });
    await errorOf(server, "another part", { retries: 4 });
    assert.equal(server.count("PATCH"), 5);
  });
});

test("a hash that the server does not name is not confirmed", () =>
  run(async (server) => {
    server.after = changing("PATCH", { "repr-digest": undefined });
    assert.equal((await sendWhole(server)).isConfirmed, false);
  }));

test("another hash of the whole is final", () =>
  run(async (server) => {
    server.after = changing("PATCH", { "repr-digest": contentDigest(Buffer.alloc(32)) });
    await assert.rejects(send(server), { message: /Repr-Digest/, canBeResumed: false });
  }));

test("a redirect is not followed", async () => {
  for (const [method, status] of [
    ["POST", 307],
    ["POST", 301],
    ["PATCH", 308],
  ]) {
    await run(async (server) => {
      server.before = failing(method, 9, status, { location: "/files/other" });
      assert.equal((await errorOf(server, String(status))).status, status);
      assert.equal(server.count(method), 1);
      assert(!server.requests.some(({ url }) => url === "/files/other"));
    });
  }
});

test("an error that completes the upload is final", async () => {
  for (const status of [400, 409, 503]) {
    await run(async (server) => {
      server.before = failing("PATCH", 9, status, { "upload-complete": "?1", "retry-after": "0" });
      assert.equal((await errorOf(server, String(status))).canBeResumed, false);
      assert.equal(server.count("PATCH"), 1);
    });
  }
});

test("a refused upload can be resumed unless it has ended", async () => {
  for (const status of [302, 400, 401, 403, 409, 413, 421, 451, 507]) {
    for (const fields of [{}, { "upload-complete": "?0" }]) {
      await run(async (server) => {
        server.before = failing("PATCH", 9, status, fields);
        const error = await errorOf(server, String(status));
        assert.deepEqual([error.status, error.canBeResumed], [status, true]);
      });
    }
  }
});

test("words of the server are shown if they are a line of text", async () => {
  for (const [body, shown] of [
    ['{"detail":"quota"}', "(quota)"],
    ['{"detail":"a\\u001b[2J"}', undefined],
    ['{"detail":"a\\u0085b"}', undefined],
    ['{"detail":{"a":1}}', undefined],
    ['{"detail":""}', undefined],
    ["[".repeat(16_000), undefined],
    ["no", undefined],
    [`{"detail":"${"x".repeat(1_000_000)}"}`, undefined],
  ]) {
    await run(async (server) => {
      const fields = { "content-type": "Application/Problem+JSON; charset=utf-8" };
      server.before = failing("POST", 9, 403, fields, body);
      const { message } = await errorOf(server, shown ?? "403");
      assert(message.length < 100);
      assert.equal(message.includes("("), shown !== undefined, message);
    });
  }
});

test("the head of an answer counts if its body is cut", async () => {
  for (const cut of [(socket) => socket.end(), (socket) => setTimeout(() => socket.resetAndDestroy(), 50)]) {
    await run(async (server) => {
      server.before = ({ method, socket }) => {
        if (method === "PATCH") {
          socket.write("HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
          cut(socket);
          return new Promise(() => {});
        }
        return undefined;
      };
      assert.equal((await errorOf(server, "403")).status, 403);
    });
  }
});
