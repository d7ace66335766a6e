// Compares this package with the program: errors and their offsets, verifying, and uploads to the service.
// Call: FRAMESIGN=path/to/framesign node --test test/against-framesign.js

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { FrameHasher, RequestSigner, stringToSign, upload } from "../src/index.js";
import { Proxy, cut, flip } from "./proxy.js";
import { ACCESS_KEY, CREDENTIALS, DATE, SECRET_KEY, cases, pseudorandom } from "./support.js";

const { FRAMESIGN, PATH } = process.env;
assert(FRAMESIGN, "set FRAMESIGN to the path of the program");
const KEYS = { FRAMESIGN_ACCESS_KEY: ACCESS_KEY, FRAMESIGN_SECRET_KEY: SECRET_KEY, PATH };
const UPLOADER = fileURLToPath(new URL("uploader.js", import.meta.url));
const PART = 64 * 1024;

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

/** Calls `use` with the service, whose uploads are in a folder of its own, and a file to upload. */
async function withService(use) {
  const folder = mkdtempSync(join(tmpdir(), "framesign-"));
  const files = mkdtempSync(join(tmpdir(), "framesign-files-"));
  const random = pseudorandom(7);
  const data = Buffer.from(Array.from({ length: 20 * PART + 7 }, () => random() & 255));
  const file = join(folder, "file");
  writeFileSync(file, data);
  const service = spawn(FRAMESIGN, ["serve", "--listen", "127.0.0.1:0", "--uploads", files], {
    env: { ...KEYS, SECRET: "a-secret-of-more-than-32-characters" },
    stdio: ["ignore", "pipe", "ignore"],
  });
  try {
    const [line] = await once(service.stdout, "data");
    const [url] = /http:\/\/\S+/.exec(line.toString());
    await use({ url, files, file, data, state: join(folder, "state") });
  } finally {
    service.kill();
    await once(service, "exit");
    rmSync(folder, { recursive: true });
    rmSync(files, { recursive: true });
  }
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

test("killed and resumed", () =>
  withService((at) =>
    new Proxy(at.url).run(async (proxy) => {
      const kills = 6;
      const random = pseudorandom(5);
      for (let kill = 0; kill < kills; kill++) {
        // Of each sixth of the file, somewhere in it.
        const sixth = at.data.length / kills;
        await killAt(proxy, Math.floor(kill * sixth + (random() % sixth) + kill * PART), at);
        assert(!existsSync(join(at.files, "it")), "visible before its end");
      }
      await send(proxy.url, at);
      // One part at most is sent again for each kill; the rest is heads.
      assert(proxy.passed < at.data.length + kills * PART + 60 * 1024, `${proxy.passed} bytes`);
    }),
  ));

/** Uploads in a process of its own, which is killed when so many bytes have passed. */
async function killAt(proxy, passed, { file, state }) {
  const args = [UPLOADER, file, `${proxy.url}/files/it`, state, PART];
  const uploader = spawn(process.execPath, args, { env: KEYS, stdio: "ignore" });
  proxy.at(passed, () => void uploader.kill("SIGKILL"));
  assert.deepEqual(await once(uploader, "exit"), [null, "SIGKILL"]);
}
