// Reads a frame in chunks: the lines of its head, and the length of its payload (section 7).
//
//   HeadReader ── lines, one after another ──► Head        Payload ── counted and hashed ──► SHA-256
//
// A head is kept until it is whole, at most `maxHead` bytes and one more. A payload is not kept.

import { createHash } from "node:crypto";
import { FrameError } from "./errors.js";
import { Head, TOKEN } from "./head.js";
import { checkMethod, checkTargetBytes, checkVersion, parseTarget, splitRequestLine } from "./request-line.js";
import { trim, trimEnd } from "./text.js";

/** The bytes of a chunk: text is UTF-8. */
export function bytesOf(chunk) {
  if (typeof chunk === "string") return Buffer.from(chunk);
  if (chunk instanceof ArrayBuffer) return Buffer.from(chunk);
  return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
}

/** Reads a head from chunks of any size. */
export class HeadReader {
  #rules;
  #buffer = ""; // From the beginning of the line that has no end yet.
  #lineAt = 0; // The offset of that line.
  #searched = 0; // So much of the buffer has no line end.
  #method;
  #target;
  #fields = [];
  #firstNul;
  head;

  constructor(rules) {
    this.#rules = rules;
  }

  /** Reads a chunk. Returns where the payload begins in it once the head is whole, else undefined. */
  update(chunk) {
    const left = this.#rules.maxHead + 1 - this.#lineAt - this.#buffer.length;
    const part = chunk.subarray(0, left);
    const text = part.toString("latin1");
    const endsInCr = this.#searched < this.#buffer.length;
    this.#buffer += text;
    if (!endsInCr && !/[\r\n]/.test(text) && part.length < left) {
      this.#searched = this.#buffer.length; // Nothing is joined before there is a line end.
      return undefined;
    }
    for (let line; (line = this.#nextLine()) !== undefined;) {
      if (this.#readLine(line)) return part.length - this.#buffer.length;
    }
    return undefined;
  }

  /** The error of an input that ends inside of the head. */
  finish() {
    const at = this.#lineAt + this.#buffer.length;
    return new FrameError("truncated-head", at, "the empty line that ends a head", "the end of the input");
  }

  /** Takes a line with its end from the buffer: rules 7.1, 7.2 and 7.23. */
  #nextLine() {
    const { maxHead, strict } = this.#rules;
    const limit = maxHead - this.#lineAt;
    const searched = Math.min(this.#buffer.length, limit);
    const found = this.#buffer.slice(this.#searched, searched).search(/[\r\n]/);
    const at = found < 0 ? searched : this.#searched + found;
    const isCr = this.#buffer[at] === "\r" && found >= 0;
    if (found < 0 || (isCr && at + 1 >= searched)) {
      this.#searched = at;
      if (this.#buffer.length > limit) {
        throw new FrameError("head-too-large", maxHead, "the end of the head", "the limit");
      }
      return undefined;
    }
    if (isCr && this.#buffer[at + 1] !== "\n") {
      throw new FrameError("bare-cr", this.#lineAt + at + 1, "LF after CR", "another byte");
    }
    if (!isCr && strict) {
      throw new FrameError("bare-lf", this.#lineAt + at, "CR LF at the end of a line", "LF alone");
    }
    const line = this.#buffer.slice(0, at + (isCr ? 2 : 1));
    this.#buffer = this.#buffer.slice(line.length);
    this.#searched = 0;
    return line;
  }

  /** Reads a line with its end. Returns whether it ends the head. */
  #readLine(whole) {
    const at = this.#lineAt;
    this.#lineAt += whole.length;
    const line = whole.replace(/\r?\n$/, "");
    if (this.#target === undefined) {
      if (line !== "") this.#readRequestLine(line, at);
    } else if (line === "") {
      this.#endHead();
      return true;
    } else if (/^[ \t]/.test(line)) {
      this.#continueField(line, whole, at);
    } else {
      this.#readField(line, whole, at);
    }
    return false;
  }

  #readRequestLine(line, at) {
    const { strict, methods } = this.#rules;
    const { method, target, targetAt, version, versionAt } = splitRequestLine(line, at, strict);
    checkVersion(version, versionAt, strict);
    checkMethod(method, at, methods);
    const parsed = parseTarget(method, target, targetAt);
    if (strict) checkTargetBytes(target, targetAt, parsed);
    this.#noteNul("request-line", target, targetAt);
    this.#method = method;
    this.#target = parsed;
  }

  /** Rule 7.14. */
  #continueField(line, whole, at) {
    const last = this.#fields.at(-1);
    if (this.#rules.strict || !last) throw new FrameError("obs-fold", at, "a field", "a continuation line");
    this.#noteNul("header-value", line, at);
    last.value = trim(`${last.value} ${trim(line)}`);
    last.raw += whole;
  }

  #readField(line, whole, at) {
    const { strict, maxHeaders } = this.#rules;
    if (this.#fields.length === maxHeaders) {
      throw new FrameError("too-many-headers", at, `at most ${maxHeaders} fields`, "more");
    }
    TOKEN.lastIndex = 0;
    const name = TOKEN.exec(line)[0];
    if (name === "" || line[name.length] !== ":") {
      throw new FrameError("header-name", at + name.length, "a token and a colon", "something else");
    }
    const rest = line.slice(name.length + 1);
    const control = strict ? rest.search(/[\0-\x08\x0b\x0c\x0e-\x1f\x7f]/) : -1;
    if (control >= 0) {
      throw new FrameError("header-value", at + name.length + 1 + control, "no control byte but tab", "one");
    }
    const value = rest.replace(/^[ \t]+/, "");
    const valueInLine = value === "" ? name.length + 1 : line.length - value.length;
    const valueAt = at + valueInLine;
    this.#noteNul("header-value", value, valueAt);
    this.#fields.push({ name, value: trimEnd(value), raw: whole.slice(valueInLine), lineAt: at, valueAt });
  }

  /** Keeps the first NUL of a head that is read leniently, for the end of the head: rule 7.11. */
  #noteNul(kind, text, at) {
    const nul = text.indexOf("\0");
    if (nul >= 0) this.#firstNul ??= new FrameError(kind, at + nul, "no NUL", "one");
  }

  #endHead() {
    if (this.#firstNul) throw this.#firstNul;
    this.head = new Head(this.#method, this.#target, this.#fields, this.#lineAt, this.#rules.strict);
  }
}

/** Counts and hashes the payload of a head: rules 7.19 to 7.21. */
export class Payload {
  #headLength;
  #limit;
  #length = 0;
  #hash = createHash("sha256");

  constructor(head, strict) {
    this.#headLength = head.length;
    // Without a limit the payload of lenient reading goes on to the end of the input.
    const limit = head.contentLength ?? (strict ? 0n : undefined);
    this.#limit = limit === undefined ? Infinity : Number(limit);
  }

  /** Counts and hashes the next bytes. */
  update(data) {
    this.#length += data.length;
    if (this.#length > this.#limit) {
      throw new FrameError("trailing-bytes", this.#headLength + this.#limit, "the end of the input", "more bytes");
    }
    this.#hash.update(data);
  }

  /** The SHA-256 of the whole payload, a Buffer of 32 bytes. */
  finish() {
    if (this.#limit !== Infinity && this.#length < this.#limit) {
      const at = this.#headLength + this.#length;
      throw new FrameError("truncated-body", at, `${this.#limit} bytes of payload`, "the end of the input");
    }
    return this.#hash.digest();
  }
}
