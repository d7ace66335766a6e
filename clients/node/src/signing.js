// Signs frames (sections 1 to 7) and makes signed frames and requests (sections 9 and 10).

import { createHash, randomBytes } from "node:crypto";
import { canonicalRequest } from "./canonical.js";
import { claimedSha256, contentDigest } from "./structured-fields.js";
import { SigningError } from "./errors.js";
import { HeadReader, Payload, bytesOf } from "./frame.js";
import { completeRules, headOfRequest } from "./head.js";
import { Credentials } from "./key.js";
import { lowerCase } from "./text.js";

export const EMPTY_SHA256 = createHash("sha256").digest();

/** The signature of a frame that is read leniently, for today in UTC unless a date is given. */
export function sign(accessKey, secretKey, frame, date = dateOf(new Date())) {
  const key = new Credentials(accessKey, secretKey).keyOf(date);
  return key.sign(new FrameHasher().update(frame).finish());
}

/**
 * Takes a frame in chunks of any size and gives its canonical request. An error is final: every later
 * call throws it again.
 */
export class FrameHasher {
  #rules;
  #reader;
  #payload;
  #error;

  constructor(rules) {
    this.#rules = completeRules(rules);
    this.#reader = new HeadReader(this.#rules);
  }

  /** The head, once it is whole. */
  get head() {
    return this.#reader.head;
  }

  /** Reads the next bytes of the frame. */
  update(chunk) {
    if (this.#error) throw this.#error;
    try {
      this.#update(bytesOf(chunk));
    } catch (error) {
      this.#error = error;
      throw error;
    }
    return this;
  }

  #update(chunk) {
    if (!this.#payload) {
      const payloadAt = this.#reader.update(chunk);
      if (payloadAt === undefined) return;
      this.#payload = new Payload(this.head, this.#rules.strict);
      chunk = chunk.subarray(payloadAt);
    }
    this.#payload.update(chunk);
  }

  /** The canonical request of the frame that ends here, a string in latin1. */
  finish() {
    if (this.#error) throw this.#error;
    if (!this.#payload) throw this.#reader.finish();
    return canonicalRequest(this.head, this.#payload.finish());
  }
}

const DEFAULT_NAMES = { accessKey: "dynata-access-key", date: "dynata-date", signature: "dynata-signature" };
const TAKEN = new Set(
  "host content-length transfer-encoding connection te upgrade expect timestamp content-digest".split(" "),
);

/** The names of the fields that a verifier looks for; both sides must use the same. */
export function completeNames(names) {
  const complete = { ...DEFAULT_NAMES, ...names };
  const all = Object.values(complete).map(lowerCase);
  const isToken = all.every((name) => /^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name));
  if (!isToken || new Set(all).size < 3 || all.some((name) => TAKEN.has(name))) {
    throw new SigningError("the names of the fields are not three tokens that are free: change them");
  }
  return complete;
}

/** Makes the fields that turn a request into a signed one: section 9, "Making a signed frame". */
export class RequestSigner {
  #credentials;
  #options;
  #names;

  /**
   * `methods` are further methods, such as PATCH. `clock` gives a Date. `contentDigest: false` and
   * `nonce: false` leave these fields out.
   */
  constructor(credentials, options = {}) {
    this.#credentials = credentials;
    this.#options = { methods: [], contentDigest: true, nonce: true, clock: () => new Date(), ...options };
    if (!Array.isArray(this.#options.methods)) throw new TypeError("methods: expected an array, found something else");
    this.#names = completeNames(options.names);
  }

  /** The same signer with other options. */
  with(options) {
    return new RequestSigner(this.#credentials, { ...this.#options, ...options });
  }

  get accessKey() {
    return this.#credentials.accessKey;
  }

  /** The further methods that it signs. */
  get methods() {
    return this.#options.methods;
  }

  /**
   * The fields to add to a request that is about to be sent, pairs of name and value. `fields` are all
   * that are sent, Host and Content-Length among them. To sign the same request again, give what this
   * returned before as `added`: it is taken out first.
   */
  sign(method, target, fields, payloadSha256, added = []) {
    payloadSha256 = hashOf(payloadSha256);
    const ours = new Set(added.map(([name, value]) => `${lowerCase(name)}:${value}`));
    const given = [...fields].filter(([name, value]) => !ours.has(`${lowerCase(name)}:${value}`));
    const head = headOfRequest(method, target, given, this.methods);
    const isEmpty = EMPTY_SHA256.equals(payloadSha256);
    if (head.contentLength > 0n && isEmpty) {
      throw new SigningError("Content-Length is above 0, and the payload is empty: correct one");
    }
    if (!head.contentLength && !isEmpty) {
      throw new SigningError("the payload has no Content-Length: add it, a chunked body is refused");
    }
    const [key, more] = this.#added(head, payloadSha256);
    const signed = headOfRequest(method, target, [...given, ...more], this.methods);
    return [...more, [this.#names.signature, key.sign(canonicalRequest(signed, payloadSha256))]];
  }

  /** The signed head of a raw one, which ends in its empty line and is read strictly. A Buffer. */
  signHead(head, payloadSha256) {
    const rules = completeRules({ strict: true, methods: this.methods });
    payloadSha256 = hashOf(payloadSha256);
    const bytes = bytesOf(head);
    const [key, added] = this.#added(readHead(bytes, rules), payloadSha256);
    const begun = Buffer.concat([bytes.subarray(0, -2), lines(added)]);
    const emptyLine = Buffer.from("\r\n");
    // Read again, since the limits count the added fields.
    const signed = readHead(Buffer.concat([begun, emptyLine]), rules);
    const signature = key.sign(canonicalRequest(signed, payloadSha256));
    return Buffer.concat([begun, lines([[this.#names.signature, signature]]), emptyLine]);
  }

  /** The key that signs, and the fields that are signed. */
  #added(head, payloadSha256) {
    const { accessKey } = this.#credentials;
    if (!/^[!-~]+$/.test(accessKey)) {
      throw new SigningError("the access key is not visible ASCII: a field cannot carry it");
    }
    for (const name of Object.values(this.#names)) {
      if (head.values(lowerCase(name)).length > 0) {
        throw new SigningError(`the request has a field ${name} already: sign one that has none`);
      }
    }
    const now = this.#options.clock();
    const key = this.#credentials.keyOf(dateOf(now));
    const added = [
      [this.#names.accessKey, accessKey],
      [this.#names.date, key.date],
    ];
    if (head.values("timestamp").length === 0) added.push(["timestamp", now.toISOString()]);
    const digests = head.values("content-digest");
    if (digests.length === 0 && this.#options.contentDigest) {
      added.push(["content-digest", contentDigest(payloadSha256)]);
    }
    if (claimedSha256(digests)?.equals(payloadSha256) === false) {
      throw new SigningError("Content-Digest claims another hash than the payload's: remove it");
    }
    if (this.#options.nonce && head.values("dynata-nonce").length === 0) {
      added.push(["dynata-nonce", randomBytes(16).toString("hex")]);
    }
    return [key, added];
  }
}

/** The day in UTC of a Date, `YYYYMMDD`. */
export function dateOf(now) {
  return now.toISOString().slice(0, 10).replaceAll("-", "");
}

/** A hash as a Buffer. */
function hashOf(sha256) {
  if (!(sha256 instanceof Uint8Array) || sha256.length !== 32) {
    throw new SigningError("the hash of the payload is not 32 bytes: give `digest()`, and no text");
  }
  return Buffer.from(sha256);
}

function readHead(head, rules) {
  const reader = new HeadReader(rules);
  if (reader.update(head) !== head.length) {
    throw new SigningError("the head does not end in an empty line, or bytes follow it: give a head alone");
  }
  return reader.head;
}

function lines(fields) {
  return Buffer.from(fields.map(([name, value]) => `${name}: ${value}\r\n`).join(""));
}
