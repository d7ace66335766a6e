// What is uploaded: a file by its path, a Blob, or a stream, read in parts.

import { createHash } from "node:crypto";
import { once } from "node:events";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bytesOf } from "./frame.js";

/** A source. `length` is undefined and `open` works once if it is a stream. */
export async function openSource(source) {
  if (typeof source === "string" || source instanceof URL) {
    const { size, mtimeMs } = await stat(source);
    const open = () => createReadStream(source, { end: Math.max(size - 1, 0) });
    return { length: size, identity: [size, mtimeMs], open: size === 0 ? () => [] : open };
  }
  if (source instanceof Blob) return { length: source.size, identity: null, open: () => source.stream() };
  return { length: undefined, identity: null, open: () => source };
}

/** Reads a source in parts and hashes all that is read. */
export class PartReader {
  #chunks;
  #part = Buffer.alloc(0); // Used for one part after another.
  #rest = Buffer.alloc(0);
  #hash = createHash("sha256");

  constructor(iterable) {
    this.#chunks = (iterable[Symbol.asyncIterator] ?? iterable[Symbol.iterator]).call(iterable);
  }

  /** The next `size` bytes, or fewer if the source ends. They stand until the next call. */
  async read(size) {
    if (this.#part.length < size) this.#part = Buffer.alloc(size);
    let filled = 0;
    await this.#consume(size, (bytes) => (filled += bytes.copy(this.#part, filled)));
    return this.#part.subarray(0, filled);
  }

  /** Reads over `size` bytes. Returns how many there were. */
  async skip(size) {
    let skipped = 0;
    await this.#consume(size, (bytes) => (skipped += bytes.length));
    return skipped;
  }

  async #consume(size, use) {
    while (size > 0) {
      if (this.#rest.length === 0) {
        const { done, value } = await this.#chunks.next();
        if (done) return;
        this.#rest = bytesOf(value);
      }
      const bytes = this.#rest.subarray(0, size);
      this.#rest = this.#rest.subarray(bytes.length);
      this.#hash.update(bytes);
      size -= bytes.length;
      use(bytes);
    }
  }

  /** The hash of all that was read so far. */
  sha256() {
    return this.#hash.copy().digest();
  }

  /** Lets the source go, which closes a file. */
  async close() {
    await this.#chunks.return?.();
  }
}

/** Calls `use` with a source that can be read again: a stream is written to a temporary file. */
export async function withSpool(source, use) {
  if (source.length !== undefined) return use(source);
  const folder = await mkdtemp(join(tmpdir(), "framesign-"));
  try {
    const path = join(folder, "spool");
    const file = createWriteStream(path, { mode: 0o600 });
    for await (const chunk of source.open()) if (!file.write(bytesOf(chunk))) await once(file, "drain");
    await once(file.end(), "close");
    return await use(await openSource(path));
  } finally {
    await rm(folder, { recursive: true });
  }
}
