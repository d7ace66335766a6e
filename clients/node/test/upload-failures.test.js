// Uploads to servers that fail, answer late or not at all: what is sent again.

import assert from "node:assert/strict";
import { once } from "node:events";
import https from "node:https";
import { createServer } from "node:net";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { inspect } from "node:util";
import { Answer } from "../src/answer.js";
import { Credentials, RequestSigner } from "../src/index.js";
import { Attempts } from "../src/retries.js";
import { DEFAULTS } from "../src/upload.js";
import { ACCESS_KEY, CREDENTIALS, SECRET_KEY } from "./support.js";
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

/** Has requests fail on a connection whose certificate was found to be wrong. */
function failingOverTls(context, authorizationError, cause) {
  return context.mock.method(https, "request", () => {
    const socket = { authorizationError };
    const request = Object.assign(new PassThrough(), { socket, removeHeader() {}, setTimeout() {} });
    setImmediate(() => request.destroy(cause));
    return request;
  });
}

test("a certificate that is not trusted is not tried again", async (context) => {
  const selfSigned = Object.assign(new Error("self-signed certificate"), { code: "DEPTH_ZERO_SELF_SIGNED_CERT" });
  // An error of a `checkServerIdentity` of one's own need not have a code.
  for (const cause of [selfSigned, new Error("not the pinned one")]) {
    const request = failingOverTls(context, cause.code ?? cause.message, cause);
    const error = await errorOf({ target: "https://127.0.0.1:1/files/it" }, `not trusted (${cause.message})`);
    assert.equal(error.canBeResumed, true);
    assert.equal(request.mock.callCount(), 1);
    request.mock.restore();
  }
});

test("a connection that breaks is tried again, also if its certificate is not asked for", async (context) => {
  const cause = Object.assign(new Error("socket hang up"), { code: "ECONNRESET" });
  const request = failingOverTls(context, "DEPTH_ZERO_SELF_SIGNED_CERT", cause);
  const options = { retries: 2, tls: { rejectUnauthorized: false } };
  await errorOf({ target: "https://127.0.0.1:1/files/it" }, "no answer of the server: socket hang up", options);
  assert.equal(request.mock.callCount(), 3);
});

test("what passes is sent again and signed anew", async () => {
  for (const method of ["OPTIONS", "POST", "PATCH"]) {
    for (const status of [408, 425, 429, 500, 502, 503, 504]) {
      await run(async (server) => {
        server.before = failing(method, 3, status);
        assert.equal((await sendWhole(server)).told.length, 3);
        const nonces = server.requests.map(({ headers }) => headers["dynata-nonce"]);
        assert.equal(new Set(nonces).size, nonces.length);
      });
    }
  }
});

test("refusals are few", async () => {
  for (const [status, patches] of [
    [400, 4],
    [401, 4],
    [404, 4],
    [415, 4],
    [501, 4],
    [403, 1],
    [410, 1],
  ]) {
    await run(async (server) => {
      server.before = failing("PATCH", 99, status);
      assert.equal((await errorOf(server, String(status))).status, status);
      assert.equal(server.count("PATCH"), patches, `${status}`);
    });
  }
});

test("a wrong key is refused before anything is sent", async () => {
  for (const credentials of [new Credentials(ACCESS_KEY, "other"), new Credentials("nobody", "other")]) {
    await run(async (server) => {
      // Whoever answers OPTIONS need not have looked at the signature.
      server.before = failing("OPTIONS", 9, 204, { "upload-limit": "max-age=60" });
      const error = await errorOf(server, "check the keys, the clock", { signer: new RequestSigner(credentials) });
      assert.equal(error.status, 401);
      assert.deepEqual(counts(server, "POST", "PATCH"), [2, 0]);
      assert(server.requests.every(({ length }) => length === 0));
    });
  }
});

test("errors have no secret", async () => {
  for (const before of [() => [401], () => [503], ({ socket }) => void socket.destroy()]) {
    await run(async (server) => {
      server.before = before;
      const error = await errorOf(server, "", { retries: 1 });
      const shown = inspect(error, { depth: 20, showHidden: true }) + error.stack;
      assert(!shown.includes(SECRET_KEY) && !shown.includes("dynata-signature"), shown);
    });
  }
});

test("attempts end", async () => {
  await run(async (server) => {
    server.before = failing("PATCH", 99, 503);
    assert.equal((await errorOf(server, "503", { retries: 4 })).canBeResumed, true);
    assert.deepEqual(counts(server, "HEAD", "PATCH"), [4, 5]);
  });
  await run(async (server) => {
    server.before = failing("OPTIONS", 99, 503);
    await errorOf(server, "503", { retries: 2 }); // It does not say that it takes no parts.
    assert.deepEqual(counts(server, "OPTIONS", "PUT"), [3, 0]);
  });
});

test("attempts begin anew with progress", () =>
  run(async (server) => {
    // Each part fails twice.
    server.before = ({ method }) => (method === "PATCH" && server.count("PATCH") % 3 ? [503] : undefined);
    await sendWhole(server, { source: new Blob([content(20 * PART)]), retries: 2 });
  }));

test("whatever has Retry-After passes", async () => {
  for (const status of [401, 403, 409, 423, 507]) {
    await run(async (server) => {
      server.before = failing("PATCH", 8, status, { "retry-after": "0" });
      await sendWhole(server);
    });
  }
});

test("Retry-After beyond the time is not waited for", async () => {
  for (const value of ["301", "9".repeat(400)]) {
    await run(async (server) => {
      server.before = failing("PATCH", 1, 503, { "retry-after": value });
      await errorOf(server, "503");
      assert.equal(server.count("PATCH"), 1);
    });
  }
});

test("a part is cut if the server takes smaller ones", () =>
  run(async (server) => {
    server.before = ({ length }) => (length > 5000 ? [413, { "upload-limit": "max-append-size=5000" }] : undefined);
    const data = content(25_000);
    for (const make of SOURCES) {
      await sendWhole(server, { source: make(data), partSize: 9000 });
      assert.deepEqual(server.files.get("/files/it"), data);
    }
  }));

test("an upload that the server has lost is gone", async () => {
  for (const status of [404, 410]) {
    await run(async (server) => {
      server.before = ({ method, url }) =>
        url.startsWith("/uploads/") ? [method === "PATCH" ? 503 : status] : undefined;
      assert.equal((await errorOf(server, "does not know the upload")).canBeResumed, false);
    });
  }
});

/** Calls `use` with the URL of a server that calls `answer` with each connection. */
async function serving(answer, use) {
  const sockets = new Set();
  const server = createServer((socket) => {
    sockets.add(socket.on("error", () => {}));
    socket.once("data", (head) => answer(socket, head));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  try {
    return await use({ target: `http://127.0.0.1:${server.address().port}/files/it` });
  } finally {
    server.close();
    for (const socket of sockets) socket.destroy();
  }
}

const IMPATIENT = { retries: 0, timeout: 300 };
const SILENT = "no answer of the server: the server was silent for too long";

test("nobody at the address", () =>
  serving(
    () => {},
    (server) => server,
  ).then(async (server) => {
    assert.equal((await errorOf(server, "no answer", { retries: 1 })).canBeResumed, true);
  }));

test("silence is a failure", () =>
  serving(
    () => {},
    (server) => errorOf(server, SILENT, IMPATIENT),
  ));

test("an answer that trickles is a failure", async () => {
  for (const begin of ["", "HTTP/1.1 200 OK\r\nA: "]) {
    const answer = async (socket) => {
      socket.write(begin);
      for (let left = 100; left > 0 && !socket.destroyed; left--) {
        socket.write(begin ? "x" : "\r\n");
        await sleep(50);
      }
      socket.end(`${begin ? "" : "HTTP/1.1 503 No"}\r\nContent-Length: 0\r\n\r\n`);
    };
    await serving(answer, (server) => errorOf(server, SILENT, IMPATIENT));
  }
});

test("interim answers have an end", () => {
  const answer = async (socket) => {
    for (let left = 200; left > 0 && !socket.destroyed; left--) {
      socket.write("HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n");
      await sleep(25);
    }
    socket.end("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n");
  };
  return serving(answer, (server) => errorOf(server, SILENT, IMPATIENT));
});

test("the body of an answer has an end", async () => {
  let left = 100;
  const answer = async (socket) => {
    socket.write("HTTP/1.1 403 No\r\nContent-Length: 1000\r\n\r\n");
    for (; left > 0 && !socket.destroyed; left--) {
      socket.write("x");
      await sleep(50);
    }
    socket.destroy();
  };
  // The head counts. OPTIONS may be refused by whoever knows no parts.
  const options = { source: new Blob([]), retries: 0, timeout: 1000 };
  await serving(answer, (server) => errorOf(server, "refused PUT with 403", options));
  assert(left > 0, "all of it was waited for");
});

test("the answer to a part has more time", () =>
  run(async (server) => {
    server.before = ({ length }) => (length === 500 ? sleep(3000) : undefined);
    assert.deepEqual((await sendWhole(server, { timeout: 2000 })).told, []);
  }));

test("an answer to a body that is not read any more is heard", { timeout: 60_000 }, () => {
  let patches = 0;
  const answers = {
    OPTIONS: () => "200 OK\r\nUpload-Limit: max-age=60",
    POST: () => "201 Created\r\nLocation: /uploads/1",
    HEAD: () => "200 OK\r\nUpload-Offset: 0",
    PATCH: () => (patches++ === 0 ? "503 Busy" : "403 No"),
  };
  const answer = (socket, head) => {
    const [method] = head.toString("latin1").split(" ");
    socket.write(`HTTP/1.1 ${answers[method]()}\r\nContent-Length: 0\r\n\r\n`);
    // The connection stays open.
    if (method === "PATCH") socket.pause();
    else socket.once("data", (head) => answer(socket, head));
  };
  const source = new Blob([Buffer.alloc(24 << 20)]);
  return serving(answer, (server) => errorOf(server, "403", { source, partSize: 24 << 20 }));
});

test("defaults are what the documents say", () => {
  const { partSize, timeout, retries, damagedRetries, longestPause, retryFor } = DEFAULTS;
  assert.deepEqual([partSize, timeout], [16 << 20, 60_000]);
  assert.deepEqual([retries, damagedRetries, longestPause, retryFor], [20, 3, 30_000, 300_000]);
});

/** The pauses of attempts that fail with an answer, until they are given up. */
async function pauses(answer, options = {}) {
  const found = [];
  let now = 1_800_000_000_000;
  const clock = {
    now: () => now,
    time: () => now,
    wait: async (pause) => {
      found.push(pause);
      now += pause;
    },
  };
  const attempts = new Attempts({ ...DEFAULTS, notify: () => {}, ...options }, clock);
  const failed = () => new Answer(answer, Buffer.alloc(0));
  let error;
  while (!error) await attempts.send(failed, true).catch((cause) => (error = cause));
  assert.equal(error.name, "UploadError");
  return found;
}

const answerWith = (headers = {}) => ({ statusCode: 503, headers });

test("pauses are random and longer each time", async () => {
  const all = await Promise.all(Array.from({ length: 40 }, () => pauses(answerWith(), { retryFor: 1e9 })));
  for (let at = 0; at < 20; at++) {
    const longest = Math.min(30_000, 500 * 2 ** at);
    const ofAttempt = all.map((of) => of[at]);
    assert(Math.max(...ofAttempt) <= longest && Math.max(...ofAttempt) > longest / 2);
    assert(Math.min(...ofAttempt) < longest / 2);
  }
  assert(all.every((of) => of.length === 20));
});

test("attempts end in time", async () => {
  const total = (await pauses(answerWith(), { retries: 1000 })).reduce((sum, pause) => sum + pause, 0);
  assert(total <= 300_000 && total > 200_000, `${total}`);
});

test("Retry-After is kept", async () => {
  const at = (seconds) => new Date(1_800_000_000_000 + seconds * 1000).toUTCString();
  for (const [value, least, most] of [
    ["120", 120_000, 120_000],
    [at(100), 100_000, 100_000],
    ["Friday, 15-Jan-27 08:01:40 GMT", 100_000, 100_000],
    ["Fri Jan 15 08:01:40 2027", 100_000, 100_000],
    [at(-100), 0, 500],
    ["soon", 0, 500],
    ["-1", 0, 500],
    ["1.5", 0, 500],
    ["", 0, 500],
  ]) {
    const [first] = await pauses(answerWith({ "retry-after": value }), { retries: 1 });
    assert(least <= first && first <= most, `${value}: ${first}`);
  }
});
