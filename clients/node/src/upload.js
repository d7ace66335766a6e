// Uploads in signed parts that resume: section 11, and the draft "Resumable Uploads for HTTP".
//
//   OPTIONS url      does the server take parts? ── no ──► one signed PUT of the whole
//   POST url         Upload-Complete: ?0, no bytes ──► Location
//   PATCH location   Upload-Offset, Upload-Complete: ?0, a part
//   PATCH location   Upload-Offset, Upload-Complete: ?1, Repr-Digest, the last part ──► Repr-Digest
//     after a break: HEAD location ──► Upload-Offset; what the server lacks of the part is sent again
//
// A source is read once; its length need not be known. docs/uploads.md says what is done about failures.

import { SignedConnection } from "./connection.js";
import { SourceError, UploadError } from "./errors.js";
import { maxAppendSize, partSize } from "./part-size.js";
import { Attempts } from "./retries.js";
import { openSource } from "./source.js";
import { contentDigest } from "./structured-fields.js";
import { UploadState } from "./upload-state.js";

const FIELDS = { "upload-draft-interop-version": "8" };

/** Times are milliseconds, sizes bytes. */
export const DEFAULTS = {
  partSize: 16 * 1024 * 1024,
  headers: {}, // Go with the first request, or with the PUT.
  state: undefined, // The path of a file that says where the upload is while it lasts.
  retries: 20, // How often a request that fails is sent again, and one that is refused:
  damagedRetries: 3,
  longestPause: 30_000, // Of the pauses between them, unless the server asks for a longer one.
  retryFor: 300_000, // From the first failure on.
  timeout: 60_000, // While nothing of a request is taken.
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
    const opened = await openSource(source);
    try {
      return await new Upload(connection, opened, new URL(url).href, settings).run();
    } finally {
      await opened.close();
    }
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
  #location;
  #offset = 0; // So much the server has.
  #limits = {};
  #attempts;
  #isAccepted = false; // Whether the server has accepted a request with this key.

  constructor(connection, source, url, settings) {
    this.#connection = connection;
    this.#source = source;
    this.#url = url;
    this.#settings = settings;
    this.#attempts = new Attempts(settings);
    const { accessKey } = settings.signer;
    this.#state = new UploadState(settings.state, { url, accessKey, source: source.stamp });
  }

  async run() {
    const location = await this.#state.load();
    try {
      const final = location === undefined ? undefined : await this.#resume(location);
      if (this.#location === undefined && !(await this.#begin())) return await this.#put();
      return await this.#complete(final ?? (await this.#sendAll()), this.#source.sha256(), true);
    } catch (error) {
      if (error.canBeResumed === false) await this.#state.remove();
      throw error;
    }
  }

  /** Compares the hash of the whole with the one that the server names. */
  async #complete({ reprSha256 }, sha256, inParts) {
    if (reprSha256 && !reprSha256.equals(sha256)) {
      const message = "the server names another hash in Repr-Digest: do not use what it has";
      throw new UploadError(message, { canBeResumed: false });
    }
    const isConfirmed = reprSha256 !== undefined;
    if (!isConfirmed) {
      const hash = sha256.toString("hex");
      this.#settings.notify(`the server named no hash of the whole: compare ${hash} with that of what it has`);
    }
    await this.#state.remove();
    return { url: this.#url, length: this.#offset, sha256: sha256.toString("hex"), isConfirmed, inParts };
  }

  // How an upload begins

  /** Creates an upload without bytes. False if the server takes no parts. */
  async #begin() {
    const options = await this.#discover();
    if (options.status === 401) requireSuccess("OPTIONS", options);
    if (!options.isSuccess || !options.takesParts) return false;
    this.#requireFit();
    const { length } = this.#source;
    const known = length === undefined ? {} : { "upload-length": length };
    const fields = { ...this.#settings.headers, ...FIELDS, "upload-complete": "?0", ...known };
    const answer = await this.#request(() => this.#connection.send("POST", this.#url, fields, { length: 0 }));
    requireSuccess("POST", answer);
    if (answer.location === undefined) {
      throw new UploadError("the server does not say where the upload is: its answer has no Location");
    }
    this.#location = this.#connection.resolve(this.#url, answer.location);
    this.#adoptLimits(answer);
    await this.#state.save(this.#location, this.#settings.notify);
    this.#attempts = new Attempts(this.#settings);
    return true;
  }

  /** Asks whether the server takes parts, and for its limits. A refusal counts if it comes twice. */
  async #discover() {
    const answer = await this.#request(() => this.#connection.send("OPTIONS", this.#url, FIELDS));
    // Whoever answers need not have looked at the signature.
    this.#isAccepted = false;
    this.#attempts = new Attempts(this.#settings);
    if (answer.isSuccess) this.#adoptLimits(answer);
    return answer;
  }

  /** Throws an UploadError if the source cannot be sent within the limits. */
  #requireFit() {
    const { length } = this.#source;
    const { maxSize } = this.#limits;
    if (length > maxSize) {
      throw new UploadError(`the source has ${length} bytes, and the server takes ${maxSize}: send less`);
    }
    partSize(this.#settings.partSize, this.#limits, length, 0);
  }

  /** Goes on with the upload that the state names. Resolves to the final answer if it is complete. */
  async #resume(location) {
    this.#location = this.#connection.resolve(this.#url, location);
    await this.#discover(); // It tells the limits and no more: HEAD tells whether the upload is gone.
    this.#requireFit();
    let answer;
    try {
      answer = await this.#askOffset(0, this.#source.length ?? Infinity);
    } catch (error) {
      if (![404, 410].includes(error.status) || error.canBeResumed) throw error;
      this.#settings.notify("the server does not know the upload any more: it begins anew");
      await this.#state.remove();
      this.#location = undefined;
      this.#attempts = new Attempts(this.#settings);
      return undefined;
    }
    this.#attempts = new Attempts(this.#settings);
    await this.#source.skip(this.#offset);
    if (!answer.isComplete) return undefined;
    if (!(await this.#source.isAtEnd())) throw completeEarly();
    return answer;
  }

  /** Sends the whole by one request. How long a stream is nobody knows: it must fit into one part. */
  async #put() {
    this.#settings.notify("the server takes no parts: the whole is sent by one PUT");
    const part = await this.#source.nextPart(this.#source.length ?? this.#settings.partSize);
    if (!part.whole) {
      throw new UploadError(
        "the server takes no parts, and the stream is longer than one: send a file, or raise partSize",
      );
    }
    let answer;
    try {
      answer = await this.#request(() => this.#send("PUT", this.#url, this.#settings.headers, part));
      requireSuccess("PUT", answer);
    } catch (error) {
      await this.#source.requireUnchanged();
      throw error;
    }
    this.#offset = part.end;
    return this.#complete(answer, part.whole, false);
  }

  // Parts

  /** Sends what is still to be read. An upload that nobody can go on with is cancelled. */
  async #sendAll() {
    const { length } = this.#source;
    try {
      for (;;) {
        const size = partSize(this.#settings.partSize, this.#limits, length, this.#offset);
        const part = await this.#source.nextPart(size);
        const answer = await this.#sendPart(part);
        if (part.whole) return answer;
      }
    } catch (error) {
      if (error instanceof SourceError && (length === undefined || !error.canBeResumed)) {
        error.canBeResumed = false;
        await this.#cancel();
      }
      throw error;
    }
  }

  /** Sends a part until the server has all of it. Resolves to the last answer. */
  async #sendPart(part) {
    for (;;) {
      const before = this.#offset;
      const rest = await part.rest(before, maxAppendSize(this.#limits, part.end - before));
      let answer = await this.#append(rest);
      let isSent = true;
      if (answer) {
        this.#offset = rest.end;
      } else {
        answer = await this.#askOffset(part.begin, part.end);
        if (answer.isComplete && (!part.whole || this.#offset < part.end)) throw completeEarly();
        isSent = answer.isComplete || !part.whole;
      }
      if (this.#offset > before) this.#attempts = new Attempts(this.#settings);
      if (this.#offset === part.end && isSent) return answer;
    }
  }

  /** Sends a part once. Undefined, after a pause, if the server is to be asked how much of it it has. */
  async #append(part) {
    const fields = {
      ...FIELDS,
      "content-type": "application/partial-upload",
      "upload-offset": part.begin,
      "upload-complete": part.whole ? "?1" : "?0",
      ...(part.whole && { "repr-digest": contentDigest(part.whole) }),
    };
    const send = () => this.#send("PATCH", this.#location, fields, part);
    const answer = await this.#attempts.send(send, this.#isAccepted);
    if (answer?.isSuccess && isOf(answer, part)) return answer;
    // The bytes of a file that changed are not those that were signed.
    await this.#source.requireUnchanged();
    if (answer?.isSuccess) await this.#attempts.pause("the server has another part than was sent");
    else if (answer) requireSuccess("PATCH", answer);
    return undefined;
  }

  async #send(method, url, fields, part) {
    const { length, sha256 } = part;
    const answer = await this.#connection.send(method, url, fields, { pieces: part.pieces(), length, sha256 });
    if (answer.status === 413) this.#adoptLimits(answer);
    return answer;
  }

  /** Asks how many bytes the server has. */
  async #askOffset(least, most) {
    const answer = await this.#request(() => this.#connection.send("HEAD", this.#location, FIELDS));
    const { status, offset } = answer;
    if (status === 404 || status === 410) {
      const message = "the server does not know the upload any more: begin anew";
      throw new UploadError(message, { status, canBeResumed: false });
    }
    requireSuccess("HEAD", answer);
    if (offset === undefined) throw new UploadError("the server does not say in Upload-Offset what it has");
    if (offset < least || offset > most) {
      throw new UploadError("the server has another number of bytes than were sent");
    }
    this.#offset = offset;
    return answer;
  }

  /** Tries to cancel the upload. If that fails, the server deletes it in time. */
  async #cancel() {
    await this.#connection.send("DELETE", this.#location, FIELDS).catch(() => {});
  }

  // Requests

  /** Sends a request until it has an answer that stays. */
  async #request(send) {
    let answer;
    while (!answer) answer = await this.#attempts.send(send, this.#isAccepted);
    this.#isAccepted ||= answer.isSuccess;
    return answer;
  }

  #adoptLimits({ limits }) {
    this.#limits = limits ?? this.#limits;
  }
}

/**
 * Whether a success says of a part that the server has it, and whether it is the last.
 *
 * Whoever stands between may answer 200 to everything, such as the portal of a network that asks for a login.
 * So an answer counts only if it has a field that such an answer has not.
 */
function isOf({ offset, isComplete, reprSha256 }, { end, whole }) {
  const isLast = whole !== undefined;
  const isSaid = isComplete !== undefined || (isLast ? reprSha256?.equals(whole) : offset !== undefined);
  return isSaid && (offset ?? end) === end && (isComplete ?? isLast) === isLast;
}

function completeEarly() {
  const message = "the server says that the upload is complete early: do not use what it has, and begin anew";
  return new UploadError(message, { canBeResumed: false });
}

const ADVICE = {
  401: "check the keys, the clock and the URL",
  403: "ask for the right to upload there",
  404: "check the URL",
  405: "check the URL",
  409: "choose another name if this one is taken",
  413: "send less, or in larger or smaller parts",
};

function requireSuccess(method, { isSuccess, isComplete, status, problem }) {
  if (isSuccess) return;
  const advice = ADVICE[status] ? `: ${ADVICE[status]}` : "";
  const message = `the server refused ${method} with ${problem}${advice}`;
  throw new UploadError(message, { status, canBeResumed: !isComplete });
}
