// Verifies signed frames and requests: section 9, check by check in its order.

import { timingSafeEqual } from "node:crypto";
import { canonicalRequest } from "./canonical.js";
import { claimedSha256 } from "./structured-fields.js";
import { FrameError, Refusal } from "./errors.js";
import { HeadReader, Payload, bytesOf } from "./frame.js";
import { completeRules, headOfRequest } from "./head.js";
import { Credentials, dayOf, isDate } from "./key.js";
import { EMPTY_SHA256, completeNames } from "./signing.js";
import { lowerCase } from "./text.js";
import { DAY, SECOND, parseTime } from "./time.js";

/**
 * What a verifier asks for. Times are seconds; `age: null` turns freshness off.
 * `maxPayloadWithoutDigest: 0` accepts no payload without a claimed hash.
 */
function completePolicy(policy = {}) {
  const defaults = { skew: 900, age: 900, hosts: [], maxPayload: Infinity, maxPayloadWithoutDigest: Infinity };
  const rules = completeRules({ ...policy.rules, strict: true });
  return { ...defaults, ...policy, rules, names: completeNames(policy.names) };
}

/** Takes one signed frame in chunks. The payload is proven when `finish` returns, not before. */
export class Verifier {
  #secrets;
  #policy;
  #clock;
  #reader;
  #pending;
  #refusal;

  /**
   * `secrets` gives the live secrets of an access key: none if it is unknown or revoked. `clock` gives
   * nanoseconds since 1970.
   */
  constructor(secrets, policy, clock = nowInNanoseconds) {
    this.#secrets = secrets;
    this.#policy = completePolicy(policy);
    this.#clock = clock;
    this.#reader = new HeadReader(this.#policy.rules);
  }

  /** Reads the next bytes of the frame, and checks the head once it is whole. */
  update(chunk) {
    if (this.#refusal) throw this.#refusal;
    try {
      refusing(() => this.#update(bytesOf(chunk)));
    } catch (refusal) {
      this.#refusal = refusal;
      throw refusal;
    }
    return this;
  }

  #update(chunk) {
    if (!this.#pending) {
      const payloadAt = this.#reader.update(chunk);
      if (payloadAt === undefined) return;
      this.#pending = check(this.#reader.head, this.#secrets, this.#policy, this.#clock());
      chunk = chunk.subarray(payloadAt);
    }
    this.#pending.update(chunk);
  }

  /** The proof, at the end of the frame: `{ accessKey, payloadSha256 }`. */
  finish() {
    if (this.#refusal) throw this.#refusal;
    if (!this.#pending) throw new Refusal("frame", this.#reader.finish());
    return this.#pending.finish();
  }
}

/**
 * Checks the head of a request that an HTTP library has read; `fields` are pairs of name and value. Feed
 * its payload to the result.
 */
export function checkRequest(method, target, fields, secrets, policy, now = nowInNanoseconds()) {
  const complete = completePolicy(policy);
  return refusing(() => check(headOfRequest(method, target, fields, complete.rules.methods), secrets, complete, now));
}

function nowInNanoseconds() {
  return BigInt(Date.now()) * 1_000_000n;
}

/** Calls `read`. An error of the frame becomes a refusal. */
function refusing(read) {
  try {
    return read();
  } catch (error) {
    throw error instanceof FrameError ? new Refusal("frame", error) : error;
  }
}

/** All checks of a head. */
function check(head, secrets, policy, now) {
  const names = Object.fromEntries(Object.entries(policy.names).map(([what, name]) => [what, lowerCase(name)]));
  const { accessKey, date, signature } = dynataFields(head, names);
  const skew = BigInt(policy.skew) * SECOND;
  const begin = BigInt(dayOf(date)) * DAY;
  if (begin > now + skew || begin + DAY <= now - skew) throw new Refusal("date");
  if (policy.age !== null && !isFresh(head, now, BigInt(policy.age) * SECOND, skew)) throw new Refusal("stale");
  const [host] = head.values("host");
  if (policy.hosts.length > 0 && !policy.hosts.some((own) => lowerCase(own) === lowerCase(host))) {
    throw new Refusal("host");
  }
  const live = liveSecrets(secrets, accessKey);
  if (live.length === 0) throw new Refusal("unknown-key");
  const length = head.contentLength ?? 0n;
  if (length > policy.maxPayload) throw new Refusal("too-large");
  const claimed = claimedSha256(head.values("content-digest"));
  if (!claimed && length > policy.maxPayloadWithoutDigest) throw new Refusal("digest-required");
  const pending = new Pending(head, live, date, signature, claimed, names.signature);
  if (pending.isHeadProven) pending.checkSignature(claimed ?? EMPTY_SHA256);
  return pending;
}

function dynataFields(head, names) {
  const values = Object.entries(names).map(([what, name]) => [what, head.values(name)]);
  if (values.some(([, lines]) => lines.length === 0)) throw new Refusal("missing-field");
  if (values.some(([, lines]) => lines.length > 1)) throw new Refusal("repeated-field");
  const { accessKey, date, signature } = Object.fromEntries(values.map(([what, [line]]) => [what, line]));
  if (accessKey === "" || !isDate(date) || !/^[0-9a-f]{64}$/.test(signature)) throw new Refusal("malformed-field");
  return { accessKey, date, signature };
}

function isFresh(head, now, age, skew) {
  const lines = head.values("timestamp");
  const signedAt = lines.length === 1 ? parseTime(lines[0]) : undefined;
  return signedAt !== undefined && signedAt >= now - age && signedAt <= now + skew;
}

/** The keys of an access key, whose bytes are UTF-8 if it is one. */
function liveSecrets(secrets, accessKey) {
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Buffer.from(accessKey, "latin1"));
  } catch {
    return [];
  }
  const live = secrets(text) ?? [];
  // Each of its letters would be a secret.
  if (typeof live === "string") throw new TypeError("expected an array of secrets, found a string: put it in brackets");
  return [...live].map((secret) => new Credentials(text, secret));
}

/**
 * A head that passed its checks, and its payload on the way. Until `isHeadProven`, method, target and
 * fields are as untrusted as the payload. That is proven when `finish` returns.
 */
class Pending {
  #live;
  #date;
  #signature;
  #claimed;
  #leftOut;
  #payload;

  constructor(head, live, date, signature, claimed, leftOut) {
    this.head = head;
    this.isHeadProven = claimed !== undefined || !head.contentLength;
    this.#live = live;
    this.#date = date;
    this.#signature = Buffer.from(signature);
    this.#claimed = claimed;
    this.#leftOut = leftOut;
    this.#payload = new Payload(head, true);
  }

  /** Compares the signature, in constant time, with that of each live secret. */
  checkSignature(payloadSha256) {
    const canonical = canonicalRequest(this.head, payloadSha256, this.#leftOut);
    const signatures = this.#live.map((credentials) => credentials.keyOf(this.#date).sign(canonical));
    const isEqual = signatures.map((each) => timingSafeEqual(Buffer.from(each), this.#signature));
    if (!isEqual.includes(true)) throw new Refusal("signature");
  }

  /** Hashes the next bytes of the payload. */
  update(data) {
    refusing(() => this.#payload.update(bytesOf(data)));
    return this;
  }

  /** The proof, at the end of the payload. */
  finish() {
    const payloadSha256 = refusing(() => this.#payload.finish());
    if (!this.isHeadProven) this.checkSignature(payloadSha256);
    if (this.#claimed && !this.#claimed.equals(payloadSha256)) throw new Refusal("digest");
    return { accessKey: this.#live[0].accessKey, payloadSha256 };
  }
}
