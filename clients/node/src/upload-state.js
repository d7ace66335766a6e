// The file that says where an upload is while it lasts. It holds no secret.

import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { lstat, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { UploadError } from "./errors.js";

// Far more than a state has.
const MOST_BYTES = 64 * 1024;

/**
 * The state of an upload: `of` says which. How many bytes the server has is not in it: an answer can be lost,
 * so the server is asked.
 */
export class UploadState {
  #path;
  #of;
  #isOurs = false; // Whether what is at the path may be removed.

  /** `path` is undefined if none is kept. */
  constructor(path, { url, accessKey, source }) {
    this.#path = path;
    this.#of = { url, accessKey, source };
  }

  /** The URL of the upload, if there is one. */
  async load() {
    if (this.#path === undefined || !(await exists(this.#path))) return undefined;
    let state;
    try {
      state = JSON.parse(await read(this.#path));
      const keys = [...Object.keys(this.#of), "upload"].join();
      this.#isOurs = Object.keys(state).join() === keys && typeof state.upload === "string";
    } catch {
      // It is no state.
    }
    if (!this.#isOurs) {
      throw new UploadError(
        `${this.#path} is not the state of an upload in a regular file that is yours and that nobody else ` +
          "can write: remove it, or name another one",
        { canBeResumed: false },
      );
    }
    const names = { url: "URL", accessKey: "access key", source: "source" };
    const others = Object.keys(names).filter((key) => state[key] !== this.#of[key]);
    if (others.length > 0) {
      const other = others.map((key) => names[key]).join(" and ");
      const message = `${this.#path} is of another ${other}: remove it to begin anew`;
      throw new UploadError(message, { canBeResumed: false });
    }
    return state.upload;
  }

  /** Replaces the file in one step. Only its owner can read it. */
  async save(upload, notify) {
    if (this.#path === undefined) return;
    const draft = join(dirname(this.#path), `.framesign-${randomBytes(8).toString("hex")}`);
    try {
      const file = await open(draft, "wx", 0o600);
      try {
        await file.writeFile(JSON.stringify({ ...this.#of, upload }));
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(draft, this.#path);
      this.#isOurs = true;
    } catch (error) {
      await rm(draft, { force: true }).catch(() => {}); // There is a better error.
      notify(`the upload cannot be resumed: its state cannot be written: ${error.message}`);
    }
  }

  /** Removes the file, since the upload has ended. */
  async remove() {
    if (this.#isOurs) await rm(this.#path, { force: true });
  }
}

/** Whether there is anything, a symbolic link among it. */
async function exists(path) {
  try {
    return Boolean(await lstat(path));
  } catch (error) {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return false;
    throw error;
  }
}

/** The text of a file: not what a symbolic link names, and without waiting for the end of a FIFO. */
async function read(path) {
  const { O_RDONLY, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants;
  const file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    const status = await file.stat();
    const user = process.geteuid?.();
    const isOwn = user === undefined || (status.uid === user && (status.mode & 0o022) === 0);
    if (!status.isFile() || !isOwn) throw new Error("it is not one's own");
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MOST_BYTES), 0, MOST_BYTES, 0);
    return buffer.toString("utf8", 0, bytesRead);
  } finally {
    await file.close();
  }
}
