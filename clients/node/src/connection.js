// Signed requests to one server, for uploads. They are sent by node:http, which adds no field to them.

import http from "node:http";
import https from "node:https";
import { pipeline } from "node:stream";
import { Answer } from "./answer.js";
import { SourceError, UploadError } from "./errors.js";
import { EMPTY_SHA256 } from "./signing.js";

const MOST_OF_A_BODY = 16 * 1024;

// The time for the answer to a body, in longest silences. On a slow line most of a part can still be in
// buffers once it was handed on, and the server has to put it on stable storage.
const ANSWER = 3;

/** What breaks a connection. The request may have been served, and its answer lost. */
export class BrokenConnection extends Error {
  name = "BrokenConnection";
}

/** A connection, opened when it is needed and again after it broke. It follows no redirect. */
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
    const read = String(url).includes("#") ? undefined : readUrl(String(url));
    if (!read) {
      throw new UploadError(
        "the URL is not http:// or https://, a host without user, and a path of visible ASCII without a " +
          "fragment: escape other characters, # as %23",
        { canBeResumed: false },
      );
    }
    this.#signer = signer;
    this.#origin = read.origin;
    this.#host = read.host;
    this.#client = read.protocol === "https:" ? https : http;
    this.#agent = new this.#client.Agent({ keepAlive: true, maxSockets: 1, ...tls });
    this.#timeout = timeout;
    this.#signal = signal;
  }

  close() {
    this.#agent.destroy();
  }

  /**
   * The URL that a Location names. An answer could have requests signed for any server: it must be this one.
   */
  resolve(url, location) {
    if (/(^|\/)(\.|%2e){1,2}(\/|$)/i.test(location.split(/[?#]/, 1)[0])) {
      throw new UploadError("the server answered with a Location that has dot segments");
    }
    const resolved = readUrl(location, url);
    if (!resolved) throw new UploadError("the server answered with a Location that is no URL of visible ASCII");
    if (resolved.origin !== this.#origin) {
      throw new UploadError("the server answered with a Location at another server: nothing is sent there");
    }
    resolved.hash = "";
    return resolved.href;
  }

  /** Signs a request anew, sends it and waits for its answer. Rejects by BrokenConnection. */
  async send(method, url, fields, { pieces = [], length, sha256 = EMPTY_SHA256 } = {}) {
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
    const answer = this.#answerTo(request, length > 0);
    pipeline(pieces, request, () => {}); // The request has its errors.
    return answer;
  }

  #answerTo(request, hasBody) {
    const silent = () => request.destroy(new Error("the server was silent for too long"));
    let timer;
    const answered = new Promise((resolve, reject) => {
      let response;
      request.on("timeout", silent);
      request.on("finish", () => {
        // The last byte was handed on. From here on a byte now and then is no answer.
        request.setTimeout(0);
        timer = setTimeout(silent, this.#timeout * (hasBody ? ANSWER : 1));
      });
      request.on("response", (answer) => {
        response = answer;
        let body = Buffer.alloc(0);
        response.on("data", (chunk) => {
          body = Buffer.concat([body, chunk]);
          if (body.length > MOST_OF_A_BODY) response.destroy();
        });
        response.on("error", () => {}); // The head counts; `close` follows.
        response.on("close", () => {
          resolve(new Answer(response, body.subarray(0, MOST_OF_A_BODY)));
          // A server that has answered may read no more.
          if (!request.writableFinished) request.destroy();
        });
      });
      request.on("error", (cause) => {
        if (cause.name === "AbortError" || cause instanceof SourceError) reject(cause);
        else if (isOfCertificate(cause, request.socket)) reject(untrusted(cause));
        else if (!response) reject(new BrokenConnection(cause.message, { cause }));
      });
    });
    return answered.finally(() => clearTimeout(timer));
  }
}

/**
 * Whether an error is the one that TLS has found in a certificate. With `rejectUnauthorized: false` the socket
 * has it too, and goes on; other errors may follow.
 */
function isOfCertificate(cause, socket) {
  const found = socket?.authorizationError;
  return Boolean(found) && found === (cause.code ?? cause.message);
}

/** Another attempt would find the same certificate. */
function untrusted(cause) {
  const advice = "give `tls` with a `ca` that it is of, or check the URL";
  return new UploadError(`the certificate of the server is not trusted (${cause.message}): ${advice}`, { cause });
}

/** A URL that requests can be sent to, or undefined. */
function readUrl(text, base) {
  // URL would mend what is not plain, and take the rest of a scheme without slashes for a host.
  if (!/^[!-[\]-~]*$/.test(text) || /^[a-z][a-z0-9+.-]*:(?!\/\/)/i.test(text)) return undefined;
  try {
    const url = new URL(text, base);
    return /^https?:$/.test(url.protocol) && !url.username && !url.password ? url : undefined;
  } catch {
    return undefined;
  }
}
