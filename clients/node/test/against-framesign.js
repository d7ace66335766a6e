// Compares this package with the program: errors and their offsets, verifying, and uploads to the service.
// Call: FRAMESIGN=path/to/framesign node --test test/against-framesign.js
// FRAMESIGN_TEST_KILLS=20 kills service and uploader so often; a few times unless set.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { FrameHasher, RequestSigner, stringToSign, upload } from "../src/index.js";
import { Proxy, cut, flip } from "./proxy.js";
import { ACCESS_KEY, CREDENTIALS, DATE, SECRET_KEY, cases, pseudorandom } from "./support.js";

const { FRAMESIGN, PATH } = process.env;
assert(FRAMESIGN, "set FRAMESIGN to the path of the program");
const KEYS = { FRAMESIGN_ACCESS_KEY: ACCESS_KEY, FRAMESIGN_SECRET_KEY: SECRET_KEY, PATH };
const UPLOADER = fileURLToPath(new URL("uploader.js", import.meta.url));
const PART = 64 * 1024;
const KILLS = Number(process.env.FRAMESIGN_TEST_KILLS ?? 6);

/** The objects that the program prints. */
function run(args, input) {
  const { stdout } = spawnSync(FRAMESIGN, args, { env: KEYS, input, maxBuffer: 1 << 24 });
  return stdout
    .toString()
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
}

for (const strict of [true, false]) {
  test(`signatures, errors and offsets, ${strict ? "strict" : "lenient"}`, () => {
    const all = [...cases("vectors"), ...cases("signed")];
    const paths = all.map(({ folder }) => `${folder}/frame.http`);
    const theirs = run(["sign", "--json", "--date", DATE, ...(strict ? ["--strict"] : []), ...paths]);
    assert.equal(theirs.length, all.length);
    all.forEach(({ folder, frame }, index) => {
      const { error, signature, string_to_sign } = theirs[index];
      try {
        const canonical = new FrameHasher({ strict }).update(frame).finish();
        const ours = [stringToSign(canonical), CREDENTIALS.keyOf(DATE).sign(canonical)];
        assert.deepEqual(ours, [string_to_sign, signature], folder);
      } catch (ours) {
        if (!ours.kind) throw ours;
        assert.deepEqual([ours.kind, ours.offset], [error?.kind, error?.offset], folder);
      }
    });
  });
}

test("the program verifies what is made", () => {
  const head = "PATCH /a//%41?b=1&b=x+y HTTP/1.1\r\nHost: test.com\r\nContent-Length: 5\r\n\r\n";
  const sha256 = createHash("sha256").update("hello").digest();
  for (const options of [{}, { nonce: false }, { contentDigest: false }]) {
    const signed = new RequestSigner(CREDENTIALS, { methods: ["PATCH"], ...options }).signHead(head, sha256);
    for (const [payload, valid] of [
      ["hello", true],
      ["hellO", false],
    ]) {
      const [said] = run(
        ["verify", "--json", "--allow-method", "PATCH"],
        Buffer.concat([signed, Buffer.from(payload)]),
      );
      assert.equal(said.valid, valid, JSON.stringify(said));
    }
  }
});

/** Starts the service on another port than before, with uploads in a folder. */
async function startService(files) {
  const service = spawn(FRAMESIGN, ["serve", "--listen", "127.0.0.1:0", "--uploads", files], {
    env: { ...KEYS, SECRET: "a-secret-of-more-than-32-characters" },
    stdio: ["ignore", "pipe", "ignore"],
  });
  const [line] = await once(service.stdout, "data");
  const [url] = /http:\/\/\S+/.exec(line.toString());
  const end = async (signal) => {
    service.kill(signal);
    await once(service, "exit");
  };
  return { url, end };
}

/** Calls `use` with the service, whose uploads are in a folder of its own, and a file to upload. */
async function withService(use, length = 20 * PART + 7) {
  const folder = mkdtempSync(join(tmpdir(), "framesign-"));
  const files = mkdtempSync(join(tmpdir(), "framesign-files-"));
  const random = pseudorandom(7);
  const data = Buffer.from(Array.from({ length }, () => random() & 255));
  const file = join(folder, "file");
  writeFileSync(file, data);
  const at = { files, file, data, state: join(folder, "state"), service: await startService(files) };
  try {
    await use({ ...at, url: at.service.url, restart: () => restart(at) });
  } finally {
    await at.service.end("SIGTERM");
    rmSync(folder, { recursive: true });
    rmSync(files, { recursive: true });
  }
}

/** Kills the service and starts it again. Resolves to its URL. */
async function restart(at) {
  await at.service.end("SIGKILL");
  at.service = await startService(at.files);
  return at.service.url;
}

/** Uploads the file and checks what arrived. Returns what was told. */
async function send(url, { files, file, data, state }) {
  const told = [];
  const uploaded = await upload(file, `${url}/files/it`, {
    signer: new RequestSigner(CREDENTIALS),
    partSize: PART,
    longestPause: 1500,
    state,
    notify: (text) => told.push(text),
  });
  assert(uploaded.inParts && uploaded.isConfirmed);
  assert.equal(uploaded.sha256, createHash("sha256").update(data).digest("hex"));
  assert.deepEqual(readFileSync(join(files, "it")), data);
  return told;
}

test("upload in parts", () => withService(async (at) => assert.deepEqual(await send(at.url, at), [])));

test("bits that flip and connections that break", () =>
  withService((at) =>
    new Proxy(at.url).run(async (proxy) => {
      const random = pseudorandom(3);
      for (let fault = 0; fault < 8; fault++) proxy.at(random() % at.data.length, fault % 2 ? flip : cut);
      assert((await send(proxy.url, at)).length >= 4);
    }),
  ));

/** A file of five parts for each kill: kills at byte distances below that come before its end. */
const LARGE = 5 * KILLS * PART + 7;

/** One part at most is sent again for each kill; the rest is heads. */
function requireSentOnce({ passed }, { data }) {
  assert(passed < data.length + KILLS * (PART + 16 * 1024), `${passed} bytes`);
}

test("uploader killed and resumed", () =>
  withService(
    (at) =>
      new Proxy(at.url).run(async (proxy) => {
        const random = pseudorandom(5);
        for (let kill = 0; kill < KILLS; kill++) {
          // At any time, its start among it; or at any byte.
          if (kill % 3 === 2) await killAfter(proxy, random() % 400, at);
          else await killAt(proxy, proxy.passed + 1 + (random() % (5 * PART)), at);
          assert(!existsSync(join(at.files, "it")), "visible before its end");
        }
        await send(proxy.url, at);
        requireSentOnce(proxy, at);
        assert(!existsSync(at.state));
      }),
    LARGE,
  ));

/** Uploads in a process of its own. */
function spawnUploader(proxy, { file, state }) {
  const args = [UPLOADER, file, `${proxy.url}/files/it`, state, PART];
  return spawn(process.execPath, args, { env: KEYS, stdio: "ignore" });
}

/** Uploads in a process that is killed when so many bytes have passed. */
async function killAt(proxy, passed, at) {
  const uploader = spawnUploader(proxy, at);
  proxy.at(passed, () => void uploader.kill("SIGKILL"));
  assert.deepEqual(await once(uploader, "exit"), [null, "SIGKILL"]);
}

/** The same after a time, in which it cannot send all. */
async function killAfter(proxy, milliseconds, at) {
  const uploader = spawnUploader(proxy, at);
  const limit = proxy.passed + 4 * PART;
  const end = performance.now() + milliseconds;
  while (performance.now() < end && proxy.passed < limit) await sleep(1);
  uploader.kill("SIGKILL");
  assert.deepEqual(await once(uploader, "exit"), [null, "SIGKILL"]);
}

test("service killed and started again", () =>
  withService(
    (at) =>
      new Proxy(at.url).run(async (proxy) => {
        const random = pseudorandom(11);
        let restarts = Promise.resolve();
        let killed = 0;
        const killNext = () => proxy.at(proxy.passed + 1 + (random() % (5 * PART)), kill);
        const kill = (piece) => {
          const kind = random() % 3;
          if (kind === 0) return lose();
          if (kind === 1)
            restarts = restartAfter(random() % 10); // While it writes, syncs and answers.
          else proxy.nextAnswer(lose);
          return piece;
        };
        const lose = () => void (restarts = restartAfter(0));
        const restartAfter = async (milliseconds) => {
          if (milliseconds > 0) await sleep(milliseconds);
          assert(!existsSync(join(at.files, "it")), "visible before its end");
          proxy.connectTo(await at.restart());
          if (++killed < KILLS) killNext();
        };
        killNext();
        await send(proxy.url, at);
        await restarts;
        assert.equal(killed, KILLS);
        requireSentOnce(proxy, at);
      }),
    LARGE,
  ));
