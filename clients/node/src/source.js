// What is uploaded: a file by its path, a Blob, or a stream, read once and cut into parts.

import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { SourceError } from "./errors.js";
import { bytesOf } from "./frame.js";

// What is read and sent at a time.
const PIECE = 256 * 1024;

/**
 * A part that was read and hashed. `whole` is the hash of the whole if it is the last one. `read` gives so
 * many bytes from an offset of the whole on: those of a file are read again for each attempt, those of a
 * stream are held.
 */
class Part {
  constructor(facts) {
    Object.assign(this, facts);
  }

  get end() {
    return this.begin + this.length;
  }

  pieces() {
    return this.read(this.begin, this.length);
  }

  /** What is left of the part from an offset on, at most so many bytes. */
  async rest(begin, most) {
    const length = Math.min(this.end - begin, most);
    if (length === this.length) return this;
    const hash = createHash("sha256");
    for await (const piece of this.read(begin, length)) hash.update(piece);
    const whole = begin + length === this.end ? this.whole : undefined;
    return new Part({ ...this, begin, length, sha256: hash.digest(), whole });
  }
}

/** Opens a source, which is to be closed. */
export async function openSource(source) {
  if (source instanceof Blob) return new Source(new BlobBytes(source));
  if (typeof source !== "string" && !(source instanceof URL)) return new Source(undefined, source);
  try {
    const handle = await open(source);
    const status = await handle.stat({ bigint: true });
    // A pipe or a device says nothing of its length.
    if (!status.isFile()) return new Source(undefined, handle.createReadStream());
    return new Source(new FileBytes(handle, status));
  } catch (error) {
    throw unreadable(error);
  }
}

/** Reads a source in parts, and hashes all that is read. `length` is undefined of a stream. */
class Source {
  #bytes;
  #chunks;
  #chunk = Buffer.alloc(0); // What is left of the last one.
  #hash = createHash("sha256");
  #offset = 0;

  constructor(bytes, stream) {
    this.#bytes = bytes;
    this.#chunks = (stream?.[Symbol.asyncIterator] ?? stream?.[Symbol.iterator])?.call(stream);
    this.length = bytes?.length;
    /** Tells a file from another one, and from itself after a change: inode, size and time. */
    this.stamp = bytes?.stamp ?? null;
  }

  /** Lets the source go. */
  async close() {
    await this.#bytes?.close();
    await this.#chunks?.return?.();
  }

  /**
   * Reads and hashes the next part, of `size` bytes unless it is the last one. A stream whose end is also
   * that of a part has an empty last part: so a part that is full need not wait for the byte after it.
   */
  async nextPart(size) {
    const begin = this.#offset;
    const isStream = this.length === undefined;
    const held = [];
    const hash = createHash("sha256");
    for await (const piece of this.#pieces(isStream ? size : Math.min(size, this.length - begin))) {
      hash.update(piece);
      if (isStream) held.push(piece);
    }
    await this.requireUnchanged();
    const length = this.#offset - begin;
    const isLast = isStream ? length < size : this.#offset === this.length;
    const read = isStream ? (at, length) => cut(held, at - begin, length) : (...at) => this.#read(...at);
    return new Part({ begin, length, sha256: hash.digest(), whole: isLast ? this.sha256() : undefined, read });
  }

  /** Reads what the server has already, for the hash of the whole. */
  async skip(length) {
    for await (const piece of this.#pieces(length)) void piece;
    if (this.#offset < length) throw changed();
  }

  async isAtEnd() {
    return this.length === undefined ? (await this.#gather(1)).length === 0 : this.#offset === this.length;
  }

  /** The hash of all that was read. */
  sha256() {
    return this.#hash.copy().digest();
  }

  /** Rejects by a SourceError if a file is not what it was when the upload began. */
  async requireUnchanged() {
    if (await this.#bytes?.isChanged()) throw changed();
  }

  /** The next bytes, fewer if a stream ends. They are hashed. */
  async *#pieces(length) {
    const pieces = this.#bytes ? this.#read(this.#offset, length) : this.#gatherPieces(length);
    for await (const piece of pieces) {
      this.#hash.update(piece);
      this.#offset += piece.length;
      yield piece;
    }
  }

  async *#read(offset, length) {
    try {
      for await (const piece of this.#bytes.read(offset, length)) {
        length -= piece.length;
        yield piece;
      }
    } catch (error) {
      throw unreadable(error);
    }
    if (length > 0) throw changed();
  }

  async *#gatherPieces(length) {
    while (length > 0) {
      const piece = await this.#gather(Math.min(length, PIECE));
      if (piece.length === 0) return;
      length -= piece.length;
      yield piece;
    }
  }

  /** So many bytes of a stream, or fewer if it ends. They are copied: who gave them may use them again. */
  async #gather(length) {
    const gathered = [];
    while (length > 0) {
      if (this.#chunk.length === 0) {
        const { done, value } = await this.#next();
        if (done) break;
        this.#chunk = value;
      }
      const bytes = this.#chunk.subarray(0, length);
      this.#chunk = this.#chunk.subarray(bytes.length);
      length -= bytes.length;
      gathered.push(bytes);
    }
    return Buffer.concat(gathered);
  }

  async #next() {
    try {
      const { done, value } = await this.#chunks.next();
      return { done, value: done ? undefined : bytesOf(value) };
    } catch (error) {
      throw unreadable(error);
    }
  }
}

/** Bytes of a file that are read at any place. */
class FileBytes {
  #handle;

  constructor(handle, status) {
    this.#handle = handle;
    this.length = Number(status.size);
    this.stamp = stampOf(status);
  }

  async *read(offset, length) {
    while (length > 0) {
      const piece = Buffer.allocUnsafe(Math.min(length, PIECE));
      const { bytesRead } = await this.#handle.read(piece, 0, piece.length, offset);
      if (bytesRead === 0) return;
      offset += bytesRead;
      length -= bytesRead;
      yield piece.subarray(0, bytesRead);
    }
  }

  async isChanged() {
    return stampOf(await this.#handle.stat({ bigint: true })) !== this.stamp;
  }

  close() {
    return this.#handle.close();
  }
}

class BlobBytes {
  #blob;

  constructor(blob) {
    this.#blob = blob;
    this.length = blob.size;
  }

  async *read(offset, length) {
    for await (const piece of this.#blob.slice(offset, offset + length).stream()) yield bytesOf(piece);
  }

  isChanged() {
    return false;
  }

  close() {}
}

const stampOf = ({ ino, size, mtimeNs }) => `${ino} ${size} ${mtimeNs}`;

/** So many bytes of some pieces, from `skipped` on. */
function* cut(pieces, skipped, length) {
  for (const piece of pieces) {
    const view = piece.subarray(skipped, skipped + length);
    skipped = Math.max(0, skipped - piece.length);
    length -= view.length;
    if (view.length > 0) yield view;
  }
}

function unreadable(cause) {
  return cause instanceof SourceError
    ? cause
    : new SourceError(`the source cannot be read: ${cause?.message ?? cause}`, { cause });
}

function changed() {
  const message = "the source has changed since the upload began: send it again";
  return new SourceError(message, { canBeResumed: false });
}
