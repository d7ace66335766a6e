// Uploads in parts against a server that verifies them and fails on purpose.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Credentials, RequestSigner, UploadError, upload } from "../src/index.js";
import { ACCESS_KEY, CREDENTIALS, SECRET_KEY } from "./support.js";
import { PART, content, run, stream } from "./uploads.js";

const sizes = (server) => server.seen.map(({ length }) => length).filter((length) => length > 0);
const sum = (numbers) => numbers.reduce((sum, number) => sum + number, 0);

const KINDS = { blob: (data) => new Blob([data]), stream, web: (data) => new Blob([data]).stream() };

/** Sends data and checks what arrived. */
async function send(server, data, options = {}) {
  const { source = new Blob([data]), ...rest } = options;
  const told = [];
  const uploaded = await upload(source, `${server.url}/files/it`, {
    signer: new RequestSigner(CREDENTIALS),
    partSize: PART,
    longestPause: 10,
    headers: { "content-type": "text/x" },
    notify: (text) => told.push(text),
    ...rest,
  });
  assert.equal(uploaded.sha256, createHash("sha256").update(data).digest("hex"));
  assert.equal(uploaded.length, data.length);
  assert.deepEqual(server.files.get("/files/it"), data);
  return { ...uploaded, told };
}

for (const [kind, make] of Object.entries(KINDS)) {
  test(`lengths around the size of a part, ${kind}`, async () => {
    for (const length of [0, 1, PART - 1, PART, PART + 1, 3 * PART, 3 * PART + 1]) {
      await run(async (server) => {
        const data = content(length);
        const { isConfirmed, inParts, told } = await send(server, data, { source: make(data) });
        assert(isConfirmed && inParts);
        assert.deepEqual([told, server.refusals], [[], []]);
        assert.equal(sum(sizes(server)), length);
        assert(sizes(server).every((size) => size <= PART));
      });
    }
  });

  test(`every fault at every part, ${kind}`, async () => {
    const data = content(4 * PART - 7);
    for (const fault of ["cut", "early", "503", "flip", "lost", "partial", "104"]) {
      for (let at = 0; at < 4; at++) {
        await run(async (server) => {
          server.faults = [...Array(at).fill(undefined), fault];
          const { isConfirmed, told } = await send(server, data, { source: make(data) });
          assert.deepEqual(server.faults, []);
          assert(isConfirmed);
          assert.equal(told.length, Number(fault !== "104"), `${fault} at ${at}: ${told}`);
          assert(sum(sizes(server)) <= data.length + PART, "one part at most is sent again");
        });
      }
    }
  });

  test(`one PUT if the server takes no parts, ${kind}`, async () => {
    const data = content(3 * PART);
    for (const faults of [[], ["503", "cut", "flip"]]) {
      await run(
        async (server) => {
          server.faults = [...faults];
          const { isConfirmed, inParts, told } = await send(server, data, { source: make(data), partSize: 4 * PART });
          assert(!isConfirmed && !inParts);
          assert.match(told[0], /takes no parts/);
          assert.equal(told.length, 2 + faults.length);
          assert.match(told.at(-1), /named no hash of the whole: compare [0-9a-f]{64} /);
        },
        { takesParts: false },
      );
    }
  });
}

test("several faults in a row", () =>
  run(async (server) => {
    server.faults = ["cut", "503", "flip", "lost", "cut", "early", undefined, "partial", "lost", "flip", "flip"];
    await send(server, content(5 * PART));
    assert(server.refusals.includes("digest"));
  }));

test("gives up after too many failures", async () => {
  for (const [fault, most] of [
    ["503", 5],
    ["cut", 5],
    ["flip", 4],
  ]) {
    await run(async (server) => {
      server.faults = Array(100).fill(fault);
      const sent = send(server, content(2 * PART), { retries: 4, damagedRetries: 3 });
      await assert.rejects(sent, UploadError);
      assert.equal(100 - server.faults.length, most);
    });
  }
});

test("busy is no refusal", () =>
  run(async (server) => {
    server.faults = [undefined, ...Array(8).fill("busy")];
    await send(server, content(3 * PART));
  }));

test("what the server says is in the error", () =>
  run(async (server) => {
    server.faults = [undefined, "refused"];
    await assert.rejects(send(server, content(3 * PART)), /403 \(quota\)/);
  }));

test("a wrong key is said", () =>
  run(async (server) => {
    const signer = new RequestSigner(new Credentials(ACCESS_KEY, "other"));
    await assert.rejects(send(server, content(1), { signer }), { name: "UploadError", status: 401 });
  }));

test("limits of the server are kept", async () => {
  await run(
    async (server) => {
      await send(server, content(20_000), { partSize: 6000 });
      assert.equal(Math.max(...sizes(server)), 5000);
    },
    { limits: "max-append-size=5000" },
  );
  await run(
    async (server) => {
      await send(server, content(2000));
      assert.deepEqual(sizes(server), [1500, 500]);
    },
    { limits: "min-append-size=1500" },
  );
});

test("another hash at the server is an error", () =>
  run(async (server) => {
    server.otherDigest = Buffer.alloc(32);
    await assert.rejects(send(server, content(2 * PART)), /Repr-Digest/);
  }));

test("nothing is sent to another server", () =>
  run(async (server) => {
    server.otherOrigin = "http://127.0.0.2:1";
    await assert.rejects(send(server, content(2 * PART)), /another server/);
  }));

test("Retry-After is kept", () =>
  run(async (server) => {
    server.faults = [undefined, "later 1"];
    const begin = performance.now();
    await send(server, content(3 * PART), { longestPause: 5000 });
    assert(performance.now() - begin >= 1000);
  }));

test("an answer before the end of a part is heard", () =>
  run(async (server) => {
    server.faults = [undefined, "gone"];
    await assert.rejects(send(server, Buffer.alloc(32 << 20), { partSize: 16 << 20 }), { status: 410 });
  }));

test("a signal ends a pause", { timeout: 30_000 }, () =>
  run(async (server) => {
    server.faults = ["later 3600"];
    const signal = AbortSignal.timeout(200);
    await assert.rejects(send(server, content(PART), { signal, retryFor: 7_200_000 }), /abort/i);
  }),
);

// Uploads of a process that was killed.

const UPLOADER = fileURLToPath(new URL("uploader.js", import.meta.url));

async function resumed(use) {
  const folder = mkdtempSync(join(tmpdir(), "framesign-"));
  const path = join(folder, "file");
  const state = join(folder, "state");
  writeFileSync(path, content(5 * PART));
  try {
    await run((server) => use({ server, path, state, data: readFileSync(path) }));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Uploads in a process of its own. */
function spawnUploader({ server, path, state }, partSize) {
  return spawn(process.execPath, [UPLOADER, path, `${server.url}/files/it`, state, partSize], {
    env: { ...process.env, FRAMESIGN_ACCESS_KEY: ACCESS_KEY, FRAMESIGN_SECRET_KEY: SECRET_KEY },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** Sends parts in a process of its own, which is killed as it begins with this one. */
async function killAt(part, at) {
  const { server } = at;
  server.faults = [...Array(part).fill(undefined), ...Array(100).fill("cut")];
  const uploader = spawnUploader(at, PART);
  await once(uploader.stderr, "data"); // The first failure is said.
  uploader.kill("SIGKILL");
  await once(uploader, "exit");
  server.faults = [];
}

for (const part of [1, 3, 4]) {
  test(`goes on where it was, after ${part} parts`, () =>
    resumed(async (at) => {
      await killAt(part, at);
      at.server.seen.length = 0;
      const { isConfirmed, told } = await send(at.server, at.data, { source: at.path, state: at.state });
      assert(isConfirmed);
      assert.deepEqual(told, []);
      assert.equal(sum(sizes(at.server)), (5 - part) * PART);
      assert(!existsSync(at.state));
    }));
}

test("complete at the server", () =>
  resumed(async (at) => {
    await killAt(4, at);
    Object.assign(at.server.uploads.get("/uploads/0"), { pieces: [at.data], length: at.data.length, isComplete: true });
    at.server.files.set("/files/it", at.data);
    assert((await send(at.server, at.data, { source: at.path, state: at.state })).isConfirmed);
  }));

test("another source is refused", () =>
  resumed(async (at) => {
    await killAt(2, at);
    utimesSync(at.path, 0, 0);
    await assert.rejects(
      send(at.server, at.data, { source: at.path, state: at.state }),
      /is of another source/,
    );
  }));

test("begins anew if the upload is gone", () =>
  resumed(async (at) => {
    await killAt(2, at);
    at.server.uploads.clear();
    const { told } = await send(at.server, at.data, { source: at.path, state: at.state });
    assert.match(told.at(-1), /begins anew/);
  }));

test("state has no secret", () =>
  resumed(async (at) => {
    await killAt(2, at);
    const text = readFileSync(at.state, "utf8");
    assert(text.includes("/uploads/0") && !text.includes(SECRET_KEY));
  }));

test("memory does not grow with the source", () =>
  resumed(async (at) => {
    const most = [];
    for (const mebibytes of [4, 68]) {
      writeFileSync(at.path, Buffer.alloc(mebibytes << 20));
      const uploader = spawnUploader(at, 1 << 20);
      const [printed] = await once(uploader.stdout, "data");
      const uploaded = JSON.parse(printed);
      assert.equal(uploaded.length, mebibytes << 20);
      most.push(uploaded.most);
    }
    const grown = most[1] - most[0];
    assert(grown < 40 << 20, `${grown} bytes more for 64 MiB more`);
  }));
