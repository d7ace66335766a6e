// The file that says where an upload is while it lasts.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ACCESS_KEY } from "./support.js";
import { LENGTH, PART, changing, content, counts, failing, run, send } from "./uploads.js";

/** Calls `use` with a server, and the paths of a file and of a state. */
async function withState(use) {
  const folder = fs.mkdtempSync(join(tmpdir(), "framesign-"));
  const at = { folder, source: join(folder, "file"), state: join(folder, "state") };
  fs.writeFileSync(at.source, content(LENGTH));
  try {
    await run((server) => use(server, at));
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}

const resume = (server, { source, state }, options) => send(server, { source, state, ...options });

/** An upload that ends at its second part. Resolves to its error. */
async function breakOff(server, at, status = 507, fields = {}) {
  server.before = ({ headers }) => (headers["upload-offset"] === String(PART) ? [status, fields] : undefined);
  const error = await resume(server, at).then(assert.fail, (error) => error);
  assert.equal(error.name, "UploadError", String(error));
  server.before = () => undefined;
  server.requests.length = 0;
  return error;
}

const replace = (path, from, to) => fs.writeFileSync(path, fs.readFileSync(path, "utf8").replace(from, to));

test("it is kept unless the upload has ended", async () => {
  const ended = { "upload-complete": "?1" };
  for (const [status, fields, isKept] of [
    ...[507, 413, 302, 421, 451].map((status) => [status, {}, true]),
    [400, ended, false],
    [409, ended, false],
  ]) {
    await withState(async (server, at) => {
      const { canBeResumed } = await breakOff(server, at, status, fields);
      assert.deepEqual([canBeResumed, fs.existsSync(at.state)], [isKept, isKept]);
      if (isKept) {
        await resume(server, at);
        assert.deepEqual(counts(server, "POST", "PATCH"), [0, 2]);
      }
      assert(!fs.existsSync(at.state));
    });
  }
});

test("it is of one URL, access key and source", async () => {
  for (const change of [
    ({ source }) => fs.utimesSync(source, 0, 0),
    ({ source }) => {
      const { atime, mtime } = fs.statSync(source);
      fs.writeFileSync(`${source}.other`, content(LENGTH));
      fs.utimesSync(`${source}.other`, atime, mtime);
      fs.renameSync(`${source}.other`, source);
    },
    ({ state }) => replace(state, ACCESS_KEY, "x") ?? "access key",
    ({ state }) => replace(state, "/files/it", "/files/x") ?? "URL",
    ({ state }) => replace(state, "/files/it", "/files/x") ?? replace(state, ACCESS_KEY, "x") ?? "URL and access key",
  ]) {
    await withState(async (server, at) => {
      await breakOff(server, at);
      const other = change(at) ?? "source";
      const error = await resume(server, at).catch((error) => error);
      assert(error.message.endsWith(`is of another ${other}: remove it to begin anew`), error.message);
      assert.equal(error.canBeResumed, false);
      assert(fs.existsSync(at.state));
      assert.deepEqual(server.requests, []);
    });
  }
});

test("only an own file that nobody else can write is one", async () => {
  for (const change of [
    (state) => {
      fs.renameSync(state, `${state}.target`);
      fs.symlinkSync(`${state}.target`, state);
    },
    (state) => {
      fs.rmSync(state);
      assert.equal(spawnSync("mkfifo", [state]).status, 0);
    },
    (state) => fs.writeFileSync(state, "My diary"),
    (state) => fs.writeFileSync(state, "null"),
    (state) => fs.chmodSync(state, 0o666),
    (state) => replace(state, "/uploads/", "/a b/"),
  ]) {
    await withState(async (server, at) => {
      await breakOff(server, at);
      change(at.state);
      await assert.rejects(resume(server, at), /remove it, or name another|visible ASCII/);
      assert.deepEqual(counts(server, "POST", "PATCH"), [0, 0]);
      assert(fs.lstatSync(at.state), "it was removed");
    });
  }
});

test("it is private and written beside nothing of others", () =>
  withState(async (server, at) => {
    const victim = join(at.folder, "victim");
    fs.writeFileSync(victim, "victim");
    fs.symlinkSync(victim, `${at.state}.new`);
    await breakOff(server, at);
    assert.equal(fs.statSync(at.state).mode & 0o777, 0o600);
    assert.equal(fs.readFileSync(victim, "utf8"), "victim");
    assert.deepEqual(fs.readdirSync(at.folder).sort(), ["file", "state", "state.new", "victim"]);
  }));

test("a state that cannot be written is told", () =>
  withState(async (server, at) => {
    const { told } = await resume(server, { ...at, state: join(at.folder, "no", "folder") });
    assert.match(told[0], /cannot be resumed/);
  }));

test("answers to OPTIONS tell nothing of the upload", async () => {
  for (const status of [200, 301, 401, 403, 404, 405, 410, 501]) {
    await withState(async (server, at) => {
      await breakOff(server, at);
      server.before = failing("OPTIONS", 9, status);
      assert((await resume(server, at)).inParts);
      assert.deepEqual(counts(server, "POST", "PATCH", "PUT"), [0, 2, 0]);
    });
  }
});

test("a gone upload begins anew", async () => {
  for (const status of [404, 410]) {
    await withState(async (server, at) => {
      await breakOff(server, at);
      server.before = failing("HEAD", 9, status);
      const { told } = await resume(server, at);
      assert.match(told.at(-1), /begins anew/);
      assert.equal(server.count("POST"), 1);
      assert(!fs.existsSync(at.state));
    });
  }
  // A server that asks for patience knows it yet.
  await withState(async (server, at) => {
    await breakOff(server, at);
    server.before = failing("HEAD", 99, 404, { "retry-after": "0" });
    await assert.rejects(resume(server, at, { retries: 3 }), /404/);
    assert(fs.existsSync(at.state));
  });
  // It cannot begin anew either.
  await withState(async (server, at) => {
    await breakOff(server, at);
    server.before = ({ method }) => (method === "OPTIONS" ? undefined : [method === "HEAD" ? 404 : 403]);
    await assert.rejects(resume(server, at), /403/);
    assert(!fs.existsSync(at.state));
  });
});

test("other bytes than the server has never become visible", () =>
  withState(async (server, at) => {
    await breakOff(server, at);
    const { mtimeNs } = fs.statSync(at.source, { bigint: true });
    const data = Buffer.from(content(LENGTH));
    data[100] ^= 1;
    fs.writeFileSync(at.source, data);
    spawnSync("touch", [
      "--date",
      `@${mtimeNs / 10n ** 9n}.${String(mtimeNs % 10n ** 9n).padStart(9, "0")}`,
      at.source,
    ]);
    await assert.rejects(resume(server, at), /refused PATCH with 400/);
    assert.deepEqual([server.files.size, server.uploads.size, fs.existsSync(at.state)], [0, 0, false]);
  }));

test("a source shorter than what the server has is refused", () =>
  withState(async (server, at) => {
    await breakOff(server, at);
    server.after = changing("HEAD", { "upload-offset": String(LENGTH + 1) });
    await assert.rejects(resume(server, at), /another number of bytes/);
    // Whoever names another file by mistake would lose the upload.
    assert.deepEqual([server.count("DELETE"), fs.existsSync(at.state)], [0, true]);
  }));

test("a complete upload of another length is an error", () =>
  withState(async (server, at) => {
    await breakOff(server, at);
    server.after = changing("HEAD", { "upload-complete": "?1" });
    await assert.rejects(resume(server, at), /complete early/);
  }));
