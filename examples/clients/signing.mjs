// The fields of a signed frame, as docs/protocol.md describes them in sections 2 to 6 and 9.
//
// It takes what a client is about to send, so call it last: what is added afterwards is not signed, and
// the server refuses the request.

import { createHash, createHmac } from "node:crypto";
import { createReadStream } from "node:fs";

/**
 * The fields to add to a request, whose keys are in the environment. `url` is a URL. `fields` are all
 * the pairs of name and value that are sent, Host and Content-Length among them. `sha256` is the digest
 * of the body, as a Buffer.
 */
export function signedFields(method, url, fields, sha256) {
  const { FRAMESIGN_ACCESS_KEY: accessKey, FRAMESIGN_SECRET_KEY: secretKey } = process.env;
  const now = new Date().toISOString();
  const date = now.slice(0, 10).replaceAll("-", "");
  const added = [
    ["content-digest", `sha-256=:${sha256.toString("base64")}:`],
    ["dynata-access-key", accessKey],
    ["dynata-date", date],
    ["timestamp", now],
  ];
  const canonical = canonicalRequest(method, url, [...fields, ...added], sha256);
  const signingKey = hmac(hmac(secretKey, date), accessKey);
  const stringToSign = createHash("sha256").update(canonical, "latin1").digest("hex");
  return [...added, ["dynata-signature", hmac(signingKey, stringToSign)]];
}

/** The SHA-256 of a file, which is read in chunks. */
export async function sha256OfFile(path) {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest();
}

function canonicalRequest(method, url, fields, sha256) {
  const path = url.pathname.split("/").map((segment) => encode(decode(segment))).join("/");
  const parameters = url.search.slice(1).split("&").filter(Boolean).map((parameter) => {
    const [name, ...value] = parameter.replaceAll("+", " ").split("=");
    return [encode(decode(name)), encode(decode(value.join("=")))];
  });
  const query = joined(parameters, "%2C").map(([name, value]) => `${name}=${value}`).join("&");
  const trimmed = fields.map(([name, value]) => [name.toLowerCase(), String(value).replace(/^[ \t]+|[ \t]+$/g, "")]);
  const headers = joined(trimmed, ",").map(([name, value]) => `${name}:${value}\n`).join("");
  return [method, path, query, headers, sha256.toString("hex")].join("\n");
}

/** One pair of each name, in ascending order of the names. */
function joined(pairs, separator) {
  const values = new Map();
  for (const [name, value] of pairs) values.set(name, [...(values.get(name) ?? []), value]);
  return [...values].map(([name, all]) => [name, all.join(separator)]).sort(([a], [b]) => (a < b ? -1 : 1));
}

// Both work on bytes, of which a string in latin1 has one in each character.

function decode(text) {
  return text.replace(/%([0-9A-Fa-f]{2})/g, (_, digits) => String.fromCharCode(parseInt(digits, 16)));
}

function encode(bytes) {
  const hex = (byte) => byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0");
  return bytes.replace(/[^A-Za-z0-9._~-]/g, (byte) => `%${hex(byte)}`);
}

function hmac(key, message) {
  return createHmac("sha256", key).update(message).digest("hex");
}
