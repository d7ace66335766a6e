// Signed requests to one server, for uploads. They are sent by node:http, which adds no field to them.

import http from "node:http";
import https from "node:https";
import { Readable } from "node:stream";
import { claimedSha256 } from "./content-digest.js";
import { EMPTY_SHA256 } from "./signing.js";

export const INTEROP_VERSION = "8";

/** An upload that cannot go on. `status` is that of the answer that said so. */
export class UploadError extends Error {
  name = "UploadError";

  constructor(message, { status, cause } = {}) {
    super(message, { cause });
    this.status = status;
  }
}

const MOST_OF_A_BODY = 16 * 1024;

/** What breaks a connection. The request may have been served, and its answer lost. */
export class BrokenConnection extends Error {
  name = "BrokenConnection";
}

/** A final answer. `body` is the beginning of its body, which can be problem details (RFC 9457). */
export class Answer {
  #fields;
  #body;

  constructor({ statusCode, headers }, body) {
    this.status = statusCode;
    this.#fields = headers;
    this.#body = body;
  }

  /** The status, and what the server says of it in problem details. */
  get problem() {
    try {
      const isProblem = this.#fields["content-type"]?.startsWith("application/problem+json");
      const detail = isProblem && JSON.parse(this.#body.toString())?.detail;
      if (detail) return `${this.status} (${detail})`;
    } catch {
      // No JSON: the status says enough.
    }
    return String(this.status);
  }

  get isSuccess() {
    return this.status >= 200 && this.status < 300;
  }

  get isComplete() {
    return this.#fields["upload-complete"] === "?1";
  }

  get location() {
    return this.#fields.location;
  }

  get takesParts() {
    return this.#fields["upload-limit"] !== undefined;
  }

  /** A field that is a non-negative Integer of RFC 9651, without parameters. */
  integer(name) {
    const value = this.#fields[name];
    return /^[0-9]{1,15}$/.test(value ?? "") ? Number(value) : undefined;
  }

  /** A member of Upload-Limit. */
  limit(name) {
    const members = (this.#fields["upload-limit"] ?? "").split(/[ \t]*[,;][ \t]*/);
    const numbers = members.map((member) => new RegExp(`^${name}=([0-9]{1,15})$`).exec(member.trim()));
    const found = numbers.filter(Boolean).at(-1);
    return found && Number(found[1]);
  }

  /** The hash of the whole that Repr-Digest claims. */
  get reprSha256() {
    const value = this.#fields["repr-digest"];
    return value === undefined ? undefined : claimedSha256([value]);
  }
}

/** A connection, opened when it is needed and again after it broke. */
export class SignedConnection {
  #signer;
  #origin;
  #host;
  #client;
  #agent;
  #timeout;
  #signal;

  /** `timeout` is in milliseconds of silence. `tls` has options of `node:tls`, such as `ca`. */
  constructor(signer, url, { timeout, tls, signal }) {
    const { protocol, origin, host } = new URL(url);
    if (!/^https?:$/.test(protocol)) throw new UploadError("the URL is not http:// or https://: correct it");
    this.#signer = signer;
    this.#origin = origin;
    this.#host = host;
    this.#client = protocol === "https:" ? https : http;
    this.#agent = new this.#client.Agent({ keepAlive: true, maxSockets: 1, ...tls });
    this.#timeout = timeout;
    this.#signal = signal;
    /** Where a 104 says that the upload is, before the final answer has come. */
    this.interimLocation = undefined;
  }

  close() {
    this.#agent.destroy();
  }

  /** The URL that a Location names. Nothing is sent to another server than the one asked. */
  resolve(url, location) {
    const resolved = new URL(location, url);
    if (resolved.origin !== this.#origin) {
      throw new UploadError("Location names another server: nothing is sent there");
    }
    return resolved.href;
  }

  /** Signs a request anew, sends it and waits for its answer. Rejects by BrokenConnection. */
  async send(method, url, fields, { body, length, sha256 = EMPTY_SHA256 } = {}) {
    const { pathname, search } = new URL(url);
    const pairs = [["host", this.#host], ...Object.entries(fields)];
    if (length !== undefined) pairs.push(["content-length", length]);
    pairs.push(...this.#signer.sign(method, pathname + search, pairs, sha256));
    const request = this.#client.request(url, {
      method,
      path: pathname + search,
      headers: Object.fromEntries(pairs),
      agent: this.#agent,
      timeout: this.#timeout,
      signal: this.#signal,
    });
    request.removeHeader("connection");
    const answer = this.#answerTo(request);
    if (body)
      Readable.from(body)
        .on("error", (error) => request.destroy(error))
        .pipe(request);
    else request.end();
    return answer;
  }

  #answerTo(request) {
    return new Promise((resolve, reject) => {
      request.on("timeout", () => request.destroy(new Error("the server was silent for too long")));
      request.on("information", ({ statusCode, headers }) => {
        const isOfThisDraft = headers["upload-draft-interop-version"] === INTEROP_VERSION;
        if (statusCode === 104 && isOfThisDraft) this.interimLocation = headers.location ?? this.interimLocation;
      });
      request.on("response", (response) => {
        let body = Buffer.alloc(0);
        response.on("data", (chunk) => {
          body = Buffer.concat([body, chunk]);
          if (body.length > MOST_OF_A_BODY) response.destroy();
        });
        response.on("error", () => {}); // The head counts; `close` follows.
        response.on("close", () => resolve(new Answer(response, body)));
      });
      request.on("error", (cause) => {
        reject(cause.name === "AbortError" ? cause : new BrokenConnection(cause.message, { cause }));
      });
    });
  }
}
