// Uploads of sources that fail, change or do not fit, and to servers that take no parts.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  appendFileSync,
  createReadStream,
  createWriteStream,
  mkdtempSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { test } from "node:test";
import { inspect } from "node:util";
import { contentDigest } from "../src/index.js";
import { partSize } from "../src/part-size.js";
import {
  LENGTH,
  PART,
  SOURCES,
  changing,
  content,
  counts,
  errorOf,
  failing,
  run,
  send,
  sendWhole,
  stream,
} from "./uploads.js";

const MIB = 2 ** 20;
const GIB = 2 ** 30;

/** Calls `use` with the path of a file of two parts and a half. */
async function withFile(use) {
  const folder = mkdtempSync(join(tmpdir(), "framesign-"));
  const path = join(folder, "file");
  writeFileSync(path, content(LENGTH));
  try {
    await run((server) => use(server, path));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("what is sent", async () => {
  for (const length of [0, 1, PART, 3 * PART, 3 * PART + 7]) {
    for (const make of SOURCES) {
      await run(async (server) => {
        const data = content(length);
        await sendWhole(server, { source: make(data) });
        const [options, post, ...patches] = server.requests;
        assert.deepEqual([options.method, post.method, post.length], ["OPTIONS", "POST", 0]);
        assert.equal(post.headers["upload-complete"], "?0");
        assert.equal(post.headers["upload-length"], make === stream ? undefined : String(length));
        patches.forEach(({ headers }, at) => {
          const isLast = at === patches.length - 1;
          assert.equal(headers["upload-offset"], String(at * PART));
          assert.equal(headers["upload-complete"], isLast ? "?1" : "?0");
          assert.equal(headers["content-type"], "application/partial-upload");
          assert(headers["content-digest"]);
          const whole = contentDigest(createHash("sha256").update(data).digest());
          assert.equal(headers["repr-digest"], isLast ? whole : undefined);
        });
        for (const { headers } of server.requests) assert.equal(headers["upload-draft-interop-version"], "8");
      });
    }
  }
});

test("a stream that fails is cancelled", async () => {
  for (const at of [0, PART / 2, PART, LENGTH]) {
    await run(async (server) => {
      async function* source() {
        yield content(at);
        throw new Error("the pipe is broken");
      }
      const error = await errorOf(server, "cannot be read", { source: Readable.from(source()) });
      assert.equal(error.canBeResumed, false);
      assert.deepEqual([server.count("DELETE"), server.uploads.size], [1, 0]);
    });
  }
});

test("a file that changes on the way is an error and cancelled", async () => {
  for (const change of [
    (path) => appendFileSync(path, "x"),
    (path) => truncateSync(path, PART / 2),
    (path) => utimesSync(path, 1, 1),
  ]) {
    for (const [at, status] of [
      [PART, undefined],
      [2 * PART, 503],
    ]) {
      await withFile(async (server, path) => {
        server.before = ({ headers }) => {
          if (headers["upload-offset"] !== String(at)) return undefined;
          change(path);
          return status && [status];
        };
        assert.equal((await errorOf(server, "changed", { source: path })).canBeResumed, false);
        assert.deepEqual([server.count("DELETE"), server.uploads.size], [1, 0]);
      });
    }
  }
});

test("a FIFO and a device are streams", () =>
  withFile(async (server, path) => {
    await sendWhole(server, { source: "/dev/null" });
    assert.equal(server.requests[1].headers["upload-length"], undefined);
    assert.equal(spawnSync("mkfifo", [`${path}.fifo`]).status, 0);
    const sent = sendWhole(server, { source: `${path}.fifo` });
    createReadStream(path).pipe(createWriteStream(`${path}.fifo`));
    assert.equal((await sent).length, LENGTH);
  }));

test("a file that is not there is an error", () =>
  run(async (server) => {
    const error = await errorOf(server, "cannot be read", { source: "/no/such/file" });
    assert.equal(error.cause.code, "ENOENT");
    assert.deepEqual(server.requests, []);
  }));

test("a source that is too large is not begun", () =>
  run(
    async (server) => {
      await errorOf(server, `${LENGTH} bytes`);
      assert.equal(server.count("POST"), 0);
    },
    { limits: `max-size=${LENGTH - 1}` },
  ));

test("parts that memory cannot hold are not read", async () => {
  for (const [method, posts] of [
    ["OPTIONS", 0],
    ["POST", 1],
  ]) {
    await run(
      async (server) => {
        server.after = changing(method, { "upload-limit": "min-append-size=999999999999999" });
        let isRead = false;
        const source = {
          async *[Symbol.asyncIterator]() {
            isRead = true;
          },
        };
        await errorOf(server, "send a file", { source });
        assert.equal(isRead, false);
        // Nobody can go on with a stream, so it is cancelled.
        assert.deepEqual(counts(server, "POST", "DELETE"), [posts, posts]);
        await sendWhole(server); // A file is not held in memory.
      },
      { limits: "max-age=60" },
    );
  }
});

test("parts of a byte are not sent", async () => {
  for (const [method, posts] of [
    ["OPTIONS", 0],
    ["POST", 1],
  ]) {
    for (const size of [0, 1]) {
      for (const make of SOURCES) {
        await run(
          async (server) => {
            server.after = changing(method, { "upload-limit": `max-append-size=${size}` });
            await errorOf(server, "ask the operator", { source: make(content(LENGTH)) });
            assert.deepEqual(counts(server, "POST", "PATCH"), [posts, 0]);
          },
          { limits: "max-age=60" },
        );
      }
    }
  }
  await run(async (server) => {
    server.before = failing("PATCH", 9, 413, { "upload-limit": "max-append-size=1" });
    await errorOf(server, "ask the operator");
    assert.equal(server.count("PATCH"), 1);
  });
});

test("limits of another type are ignored", async () => {
  for (const limits of [
    "max-size=",
    'max-size="9"',
    "max-size=9, min-append-size=-1",
    "max-size=(9)",
    "max-size",
    "max-size=9.0",
  ]) {
    await run(async (server) => {
      server.before = failing("OPTIONS", 1, 200, { "accept-patch": "application/partial-upload" });
      server.after = changing("POST", { "upload-limit": limits });
      await sendWhole(server);
    });
  }
});

test("a URL is sent as it is written", async () => {
  for (const target of ["/files/%C3%A4%20b", "/files/%7e%2F?a=b%20c&d=/", "/files/a;b//c"]) {
    await run(async (server) => {
      server.target = server.url + target;
      assert.equal((await send(server)).url, server.target);
      assert.deepEqual([...server.files.keys()], [target]);
    });
  }
});

test("URLs that cannot be sent to", async () => {
  for (const target of [
    "ftp://test.com/x",
    "http:x",
    "/files/x",
    "",
    "http://127.0.0.1:1/a b",
    "http://127.0.0.1:1/\u00e4",
    "http://127.0.0.1:1/a#b",
    "http://127.0.0.1:1/a#",
    "http://user:hunter2@127.0.0.1:1/a",
    "http://127.0.0.1:hunter2/a",
    "http://[hunter2/a",
    new URL("http://user:hunter2@127.0.0.1:1/a"),
    new URL("http://127.0.0.1:1/a#b"),
  ]) {
    const error = await errorOf({ target }, "URL");
    assert.equal(error.canBeResumed, false);
    assert(!inspect(error, { depth: 20, showHidden: true }).includes("hunter2"));
  }
});

test("OPTIONS are asked twice before a PUT", async () => {
  for (const [status, asked] of [
    [404, 2],
    [405, 2],
    [501, 2],
    [403, 1],
    [200, 1],
  ]) {
    await run(async (server) => {
      server.before = failing("OPTIONS", 9, status);
      const { inParts, told } = await send(server);
      assert(!inParts);
      assert.match(told.at(-2), /takes no parts/);
      assert.deepEqual(counts(server, "OPTIONS", "POST", "PUT"), [asked, 0, 1]);
    });
  }
  await run(async (server) => {
    server.before = failing("OPTIONS", 1, 405); // A bit flipped on the way.
    await sendWhole(server);
  });
});

test("a key that is refused is no lack of parts", () =>
  run(async (server) => {
    server.before = failing("OPTIONS", 9, 401);
    await errorOf(server, "401");
    assert.deepEqual(counts(server, "OPTIONS", "PUT"), [2, 0]);
  }));

test("Accept-Patch says so as well", async () => {
  for (const [types, expected] of [
    ["text/x, Application/Partial-Upload;v=1", true],
    ["application/*, */*", false],
  ]) {
    await run(async (server) => {
      server.before = failing("OPTIONS", 9, 200, { "accept-patch": types });
      assert.equal((await send(server)).inParts, expected);
    });
  }
});

test("a pipe must fit into one part", () =>
  run(
    async (server) => {
      await errorOf(server, "send a file", { source: stream(content(PART)) });
      assert.equal(server.count("PUT"), 0);
      assert.equal((await send(server, { source: stream(content(PART - 1)) })).length, PART - 1);
    },
    { takesParts: false },
  ));

test("a file that changes while it is put is an error", () =>
  withFile(async (server, path) => {
    server.takesParts = false;
    server.before = ({ method }) => {
      if (method !== "PUT") return undefined;
      utimesSync(path, 1, 1);
      return [503];
    };
    await errorOf(server, "changed", { source: path });
  }));

test("sizes of parts", () => {
  const sizeOfFile = (asked, length) => partSize(asked, {}, length, 0);
  assert.equal(sizeOfFile(16 * MIB, 100 * GIB), 16 * MIB);
  assert.equal(sizeOfFile(16 * MIB, 1000 * GIB), 103 * MIB);
  assert.deepEqual([sizeOfFile(1000, 10_000_000), sizeOfFile(1000, 10_000_001)], [1000, MIB]);
  for (const length of [1, 9_999, 10_000, 10_001, GIB, 160 * GIB, 5 * 2 ** 40]) {
    assert(Math.ceil(length / sizeOfFile(1, length)) <= 10_000);
  }
  let parts = 0;
  for (let offset = 0; offset < 2 ** 40; parts++) {
    const size = partSize(16 * MIB, {}, undefined, offset);
    assert(offset > 30 * GIB || size === 16 * MIB);
    offset += size;
  }
  assert(parts <= 10_000);

  const limits = { minAppendSize: 5000, maxAppendSize: 10_000 };
  const sizes = [100, 7000, 20_000].map((asked) => partSize(asked, limits, undefined, 0));
  assert.deepEqual(sizes, [5000, 7000, 10_000]);
  assert.equal(partSize(MIB, { minAppendSize: GIB }, undefined, 0), GIB);
  assert.throws(() => partSize(MIB, { minAppendSize: GIB + 1 }, undefined, 0), /send a file/);
  // A caller who asks for as much has the memory.
  assert.equal(partSize(GIB + 1, { minAppendSize: GIB + 1 }, undefined, 0), GIB + 1);
  assert.equal(partSize(MIB, { minAppendSize: GIB + 1 }, 2 ** 40, 0), GIB + 1);

  for (const maxAppendSize of [0, 1, 4095]) {
    for (const length of [undefined, 4096, GIB]) {
      assert.throws(() => partSize(16 * MIB, { maxAppendSize }, length, 0), /ask the operator/);
    }
  }
  // What fits into one part is sent, as is what was to be sent in parts as small.
  for (const [asked, maxAppendSize, length, offset, size] of [
    [16 * MIB, 4096, undefined, 0, 4096],
    [16 * MIB, 10, 10, 0, 10],
    [16 * MIB, 0, 0, 0, 1],
    [10, 10, undefined, 0, 10],
    [16 * MIB, 10, GIB, GIB - 10, 10],
  ]) {
    assert.equal(partSize(asked, { maxAppendSize }, length, offset), size);
  }
});
