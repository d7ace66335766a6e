// Uploads in signed parts that resume: section 11, and the draft "Resumable Uploads for HTTP".
//
//   OPTIONS url      does the answer have Upload-Limit? ── no ──► one signed PUT of the whole
//   POST url         Upload-Complete: ?0, the first part ──► Location
//   PATCH location   Upload-Offset, Upload-Complete: ?0, a further part
//   PATCH location   Upload-Offset, Upload-Complete: ?1, Repr-Digest, the last part ──► Repr-Digest
//     after a break: HEAD location ──► Upload-Offset; what the server lacks of the part is sent again
//
// One part is in memory. A source is read once; its length need not be known.

import { createHash } from "node:crypto";
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { BrokenConnection, INTEROP_VERSION, SignedConnection, UploadError } from "./connection.js";
import { contentDigest } from "./content-digest.js";
import { PartReader, openSource, withSpool } from "./source.js";

export { UploadError };

const FIELDS = { "upload-draft-interop-version": INTEROP_VERSION };

// A bit that flipped on the way shows itself as one of these, and so does a wrong key.
const MAYBE_DAMAGED = [400, 401, 409];
const BUSY = [408, 425, 429];

const DEFAULTS = {
  partSize: 16 * 1024 * 1024,
  headers: {}, // Go with the first request, or with the PUT.
  state: undefined, // The path of a file that says where the upload is while it lasts.
  retries: 8, // How often a request that fails is sent again, and one that is refused:
  damagedRetries: 3,
  longestPause: 30_000, // Of the pauses between them, in milliseconds.
  timeout: 60_000,
  tls: {},
  signal: undefined,
  notify: (text) => process.emitWarning(text, "UploadWarning"), // What goes otherwise than planned.
};

/**
 * Sends a file by its path, a Blob, or a stream. Called again with the same `state` and source, after
 * the process was killed, the upload goes on.
 *
 * Resolves to `{ url, length, sha256, isConfirmed, inParts }`: `sha256` is hexadecimal, `isConfirmed` says
 * whether the server named the same hash.
 */
export async function upload(source, url, options) {
  const settings = { ...DEFAULTS, ...options };
  const signer = settings.signer.with({ methods: [...settings.signer.methods, "PATCH"], contentDigest: true });
  const connection = new SignedConnection(signer, url, settings);
  try {
    return await new Upload(connection, await openSource(source), new URL(url).href, settings).run();
  } finally {
    connection.close();
  }
}

class Upload {
  #connection;
  #source;
  #url;
  #settings;
  #state;
  #reader;
  #location;
  #offset = 0; // So much the server has.
  #partSize;

  constructor(connection, source, url, settings) {
    this.#connection = connection;
    this.#source = source;
    this.#url = url;
    this.#settings = settings;
    this.#state = new State(settings.state, { url, source: source.identity });
    this.#partSize = settings.partSize;
  }

  async run() {
    const options = await this.#request(() => this.#connection.send("OPTIONS", this.#url, FIELDS));
    if (options.status === 401) requireSuccess(options);
    if (!options.isSuccess || !options.takesParts) {
      this.#settings.notify(`${this.#url} takes no parts: the whole is sent by one PUT`);
      return this.#put();
    }
    this.#adoptLimits(options);
    this.#reader = new PartReader(this.#source.open());
    try {
      let final = await this.#resume();
      while (!final) {
        const part = await this.#reader.read(this.#partSize);
        const isLast = part.length < this.#partSize || this.#offset + part.length === this.#source.length;
        final = await this.#sendPart(part, isLast);
      }
      return await this.#complete(final, this.#reader.sha256(), true);
    } finally {
      await this.#reader.close();
    }
  }

  /** Compares the hash of the whole with the one that the server names. */
  async #complete({ reprSha256 }, sha256, inParts) {
    if (reprSha256 && !reprSha256.equals(sha256)) {
      throw new UploadError("the server has another content: its Repr-Digest is another hash");
    }
    await this.#state.remove();
    const isConfirmed = reprSha256 !== undefined;
    return { url: this.#url, length: this.#offset, sha256: sha256.toString("hex"), isConfirmed, inParts };
  }

  // Parts

  /** Sends a part until the server has all of it. Resolves to the final answer if it was the last. */
  async #sendPart(part, isLast) {
    const begin = this.#offset;
    const end = begin + part.length;
    let attempts = new Attempts(this.#settings);
    for (;;) {
      const before = this.#offset;
      const left = part.subarray(before - begin);
      let answer = await attempts.send(() => this.#sendOnce(left, isLast));
      answer ??= await this.#findOffset(begin, end);
      if (!answer) continue;
      if (answer.status === 413 && this.#adoptLimits(answer) < left.length) return this.#sendSmaller(left, isLast);
      requireSuccess(answer);
      if (answer.isComplete) return answer;
      if (this.#offset === end && !isLast) return undefined;
      if (this.#offset > before) attempts = new Attempts(this.#settings);
    }
  }

  /** Sends a part in smaller ones, as the server has asked for. */
  async #sendSmaller(part, isLast) {
    const size = this.#partSize;
    let answer;
    for (let at = 0; at < part.length; at += size) {
      answer = await this.#sendPart(part.subarray(at, at + size), isLast && at + size >= part.length);
    }
    return answer;
  }

  /** Creates the upload with the bytes of a part, or appends them. */
  async #sendOnce(part, isLast) {
    const isCreation = this.#location === undefined;
    const fields = { ...(isCreation && this.#settings.headers), ...FIELDS };
    fields["upload-complete"] = isLast ? "?1" : "?0";
    if (isLast) fields["repr-digest"] = contentDigest(this.#reader.sha256());
    if (isCreation) {
      if (this.#source.length !== undefined) fields["upload-length"] = this.#source.length;
    } else {
      fields["content-type"] = "application/partial-upload";
      fields["upload-offset"] = this.#offset;
    }
    const content = { body: [part], length: part.length, sha256: createHash("sha256").update(part).digest() };
    const answer = await this.#connection.send(
      isCreation ? "POST" : "PATCH",
      isCreation ? this.#url : this.#location,
      fields,
      content,
    );
    if (!answer.isSuccess) return answer;
    if (isCreation && !answer.isComplete) {
      await this.#adoptLocation(answer.location);
      this.#adoptLimits(answer);
    }
    this.#offset += part.length;
    return answer;
  }

  async #adoptLocation(location) {
    if (location === undefined) {
      throw new UploadError("the server does not say where the upload is: its answer has no Location");
    }
    this.#location = this.#connection.resolve(this.#url, location);
    await this.#state.save(this.#location);
  }

  /** Keeps to what Upload-Limit says. Returns the size of parts. */
  #adoptLimits(answer) {
    const size = Math.max(this.#partSize, answer.limit("min-append-size") ?? 1);
    this.#partSize = Math.min(size, answer.limit("max-append-size") || size);
    const whole = answer.limit("max-size") ?? Infinity;
    if (this.#source.length > whole) {
      throw new UploadError(`the source has ${this.#source.length} bytes, and the server takes ${whole}`);
    }
    return this.#partSize;
  }

  // Breaks

  /** Asks how much of a part the server has. Undefined if the upload has not been created. */
  async #findOffset(begin, end) {
    if (this.#location === undefined) {
      if (this.#connection.interimLocation === undefined) return undefined;
      await this.#adoptLocation(this.#connection.interimLocation);
    }
    return this.#askOffset(begin, end);
  }

  async #askOffset(least, most) {
    const answer = await this.#request(() => this.#connection.send("HEAD", this.#location, FIELDS));
    requireSuccess(answer);
    const offset = answer.integer("upload-offset");
    if (offset === undefined || offset < least || offset > most) {
      throw new UploadError(`the server is at ${offset}, and not from ${least} to ${most}: begin anew`);
    }
    this.#offset = offset;
    return answer;
  }

  /** Sends a request that can be sent again as it is until it has an answer that stays. */
  async #request(send) {
    const attempts = new Attempts(this.#settings);
    let answer;
    while (!answer) answer = await attempts.send(send);
    return answer;
  }

  // Other ways to begin

  /** Goes on with the upload that the state names. Resolves to the final answer if it is complete. */
  async #resume() {
    const location = await this.#state.load();
    if (location === undefined) return undefined;
    this.#location = this.#connection.resolve(this.#url, location);
    let answer;
    try {
      answer = await this.#askOffset(0, this.#source.length ?? Infinity);
    } catch (error) {
      if (![404, 410].includes(error.status)) throw error;
      this.#settings.notify("the server does not know the upload any more: it begins anew");
      this.#location = undefined;
      return undefined;
    }
    // What the server has already is read for the hash of the whole.
    if ((await this.#reader.skip(this.#offset)) < this.#offset) {
      throw new UploadError("the server has more bytes than the source: give the same source");
    }
    if (!answer.isComplete) return undefined;
    if ((await this.#reader.skip(1)) > 0) {
      throw new UploadError("the upload is complete, and the source has more bytes: begin anew");
    }
    return answer;
  }

  /** Sends the whole by one request. It is read twice, a stream from a temporary file. */
  #put() {
    return withSpool(this.#source, async ({ length, open }) => {
      const reader = new PartReader(open());
      this.#offset = await reader.skip(Infinity);
      const sha256 = reader.sha256();
      const { headers } = this.#settings;
      const send = () => this.#connection.send("PUT", this.#url, headers, { body: open(), length, sha256 });
      const answer = await this.#request(send);
      requireSuccess(answer);
      return this.#complete(answer, sha256, false);
    });
  }
}

/** Attempts to send one request: pauses after one that failed, and gives up after too many. */
class Attempts {
  #settings;
  #failures = 0;
  #refusals = 0;

  constructor(settings) {
    this.#settings = settings;
  }

  /** Resolves to the answer, or to undefined after a pause if another attempt may have another one. */
  async send(send) {
    let answer;
    try {
      answer = await send();
    } catch (cause) {
      if (!(cause instanceof BrokenConnection)) throw cause;
      if (this.#failures === this.#settings.retries) {
        throw new UploadError(`the connection broke again and again: ${cause.message}`, { cause });
      }
      await this.#pause(`the connection broke (${cause.message})`);
      return undefined;
    }
    if (!this.#isPassing(answer)) return answer;
    if (MAYBE_DAMAGED.includes(answer.status)) this.#refusals++;
    await this.#pause(`the answer was ${answer.problem}`, (answer.integer("retry-after") ?? 0) * 1000);
    return undefined;
  }

  #isPassing(answer) {
    const { status, isSuccess, isComplete } = answer;
    if (isSuccess || isComplete || this.#failures === this.#settings.retries) return false;
    if (answer.integer("retry-after") !== undefined) return true;
    if (MAYBE_DAMAGED.includes(status)) return this.#refusals < this.#settings.damagedRetries;
    return BUSY.includes(status) || status >= 500;
  }

  /** Waits for a random part of a time that doubles (full jitter). */
  async #pause(reason, atLeast = 0) {
    const { longestPause, notify, signal } = this.#settings;
    notify(`${reason}: trying again`);
    this.#failures++;
    const pause = Math.random() * Math.min(longestPause, 250 * 2 ** this.#failures);
    await sleep(Math.max(pause, Math.min(atLeast, longestPause)), undefined, { signal });
  }
}

/** The file that says where an upload is while it lasts. It holds no secret. */
class State {
  #path;
  #of;

  constructor(path, of) {
    this.#path = path;
    this.#of = JSON.stringify(of);
  }

  /** The URL of the upload, if there is one of this source. */
  async load() {
    if (this.#path === undefined) return undefined;
    let text;
    try {
      text = await readFile(this.#path, "utf8");
    } catch (error) {
      if (error.code === "ENOENT") return undefined;
      throw error;
    }
    const { location, ...of } = JSON.parse(text);
    if (JSON.stringify(of) !== this.#of) {
      throw new UploadError(`${this.#path} is of another URL or source: remove it to begin anew`);
    }
    return location;
  }

  /** Replaces the file in one step. */
  async save(location) {
    if (this.#path === undefined) return;
    const draft = `${this.#path}.new`;
    await writeFile(draft, JSON.stringify({ ...JSON.parse(this.#of), location }));
    await rename(draft, this.#path);
  }

  /** Removes the file, since the upload is complete. */
  async remove() {
    if (this.#path !== undefined) await rm(this.#path, { force: true });
  }
}

function requireSuccess({ isSuccess, status, problem }) {
  if (status === 401) {
    throw new UploadError("the server refuses the signature (401): check keys, clock and URL", { status });
  }
  if (!isSuccess) throw new UploadError(`the server answered ${problem}`, { status });
}
