// The canonical request: sections 2 to 6. It is a string in latin1, since values need not be UTF-8.

import { grouped, lowerCase } from "./text.js";

/** The five parts of section 2. A verifier leaves out the field `without`, in lower case. */
export function canonicalRequest(head, payloadSha256, without) {
  return [
    head.method,
    canonicalUri(head.target.path),
    canonicalQuery(head.target.query),
    canonicalHeaders(head.fields, without),
    payloadSha256.toString("hex"),
  ].join("\n");
}

/** Section 4. An escaped slash stays escaped, since each segment is decoded by itself. */
export function canonicalUri(path) {
  return path
    .split("/")
    .map((segment) => encode(decode(segment)))
    .join("/");
}

/** Section 5. */
export function canonicalQuery(query) {
  const pairs = query
    .split("&")
    .filter(Boolean)
    .map((piece) => {
      const [name] = piece.split("=", 1);
      return [name, piece.slice(name.length + 1)].map((part) => encode(decode(part.replaceAll("+", " "))));
    });
  return grouped(pairs)
    .map(([name, values]) => `${name}=${values.join("%2C")}`)
    .join("&");
}

/** Section 6. */
export function canonicalHeaders(fields, without) {
  const pairs = fields.map(({ name, value }) => [lowerCase(name), value]).filter(([name]) => name !== without);
  return grouped(pairs)
    .map(([name, values]) => `${name}:${values.join(",")}\n`)
    .join("");
}

// Section 3, on bytes.

function decode(text) {
  return text.replace(/%([0-9A-Fa-f]{2})/g, (_, digits) => String.fromCharCode(parseInt(digits, 16)));
}

function encode(bytes) {
  const escape = (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`;
  return bytes.replace(/[^A-Za-z0-9._~-]/g, escape);
}
