// Signs what fetch sends. fetch adds fields by itself: they are made explicit here, or signed as they
// will be.

import { createHash } from "node:crypto";
import { SigningError } from "./errors.js";
import { bytesOf } from "./frame.js";
import { EMPTY_SHA256 } from "./signing.js";

const DEFAULTS = {
  accept: "*/*",
  "accept-encoding": "gzip, deflate",
  "accept-language": "*",
  "user-agent": "framesign-node",
};
const CONDITIONS = ["if-modified-since", "if-none-match", "if-unmodified-since", "if-match", "if-range"];

/**
 * A function that is called like fetch and signs each request. A stream as body needs its hash and its
 * length, as `sha256` and `length` beside `body`. A redirect is not followed, unless `redirect` says so:
 * it would get the old signature, which its target refuses. `viaProxy` leaves out the field Connection,
 * which fetch always sends and proxies drop.
 */
export function signedFetch(signer, { fetch = globalThis.fetch, viaProxy = false } = {}) {
  return async (input, { sha256, length, ...init } = {}) => {
    if (input instanceof Request && input.body && !init.body) {
      throw new SigningError("the body of a Request is a stream: give the URL, and the body beside it");
    }
    const body = await examineBody(init.body, sha256, length);
    // It has the fields that fetch makes of the body, and the URL and the method in their final form. A
    // stream has no such fields, and a request that has one reads from it.
    const probe = body.isStream ? undefined : body.sent;
    const request = new Request(input, { ...init, body: probe, keepalive: false });
    const url = new URL(request.url);
    const headers = explicitFields(request, body, viaProxy);
    const forced = [
      ["host", url.host],
      ["sec-fetch-mode", request.mode],
    ];
    if (!viaProxy && !headers.has("connection")) forced.push(["connection", "keep-alive"]);
    // This one is added to whatever is there.
    if (headers.has("range")) forced.push(["accept-encoding", "identity"]);
    // An empty body has a length with these methods alone.
    const isLengthSent = body.length > 0 || ["POST", "PUT", "PATCH"].includes(request.method);
    if (isLengthSent && !headers.has("content-length")) {
      forced.push(["content-length", body.length]);
    }
    const target = url.pathname + url.search;
    const signed = signer.sign(request.method, target, [...headers, ...forced], body.sha256);
    for (const [name, value] of signed) headers.append(name, value);
    const { redirect = "manual" } = init;
    return fetch(input, { ...init, method: request.method, headers, body: body.sent, duplex: "half", redirect });
  };
}

/** The body as fetch gets it, its length and its hash. */
async function examineBody(body, sha256, length) {
  if (body === undefined || body === null) return { length: 0, sha256: EMPTY_SHA256 };
  if (typeof body === "string" || body instanceof URLSearchParams) body = withType(body);
  if (body instanceof ArrayBuffer || ArrayBuffer.isView(body)) {
    const bytes = bytesOf(body);
    return { sent: body, length: bytes.length, sha256: createHash("sha256").update(bytes).digest() };
  }
  if (body instanceof Blob) {
    const hash = createHash("sha256");
    for await (const chunk of body.stream()) hash.update(chunk);
    return { sent: body, length: body.size, sha256: hash.digest() };
  }
  if (body instanceof FormData) {
    throw new SigningError("a form gets its boundary when it is sent: give `await new Response(form).blob()`");
  }
  if (!sha256 || length === undefined) {
    throw new SigningError("a stream is sent as it is read: give its `sha256` and `length` beside it");
  }
  return { sent: body, length, sha256, isStream: true };
}

/** Text as a Blob, which has the type that fetch would add. */
function withType(body) {
  const type = typeof body === "string" ? "text/plain" : "application/x-www-form-urlencoded";
  return new Blob([body.toString()], { type: `${type};charset=UTF-8` });
}

/** The fields of a request, with those that fetch would add where they are missing, less those it replaces. */
function explicitFields({ headers: given, cache }, body, viaProxy) {
  const headers = new Headers(given);
  headers.delete("sec-fetch-mode");
  // Of the options of a connection, fetch sends `close` or `keep-alive`, in lower case.
  const closes = /(^|,)\s*close\s*(,|$)/i.test(headers.get("connection") ?? "");
  headers.delete("connection");
  if (closes && !viaProxy) headers.set("connection", "close");
  const add = (name, value) => headers.has(name) || headers.set(name, value);
  for (const [name, value] of Object.entries(DEFAULTS)) add(name, value);
  if (headers.has("range")) headers.delete("accept-encoding");
  const isConditional = cache === "default" && CONDITIONS.some((name) => headers.has(name));
  if (isConditional || cache === "no-store" || cache === "reload") {
    add("pragma", "no-cache");
    add("cache-control", "no-cache");
  }
  if (cache === "no-cache") add("cache-control", "max-age=0");
  // A stream is chunked without it.
  if (body.isStream) headers.set("content-length", body.length);
  return headers;
}
