// The head of a frame, and the checks that need all of it: rules 7.9 and 7.15 to 7.18, 7.25.

import { FrameError } from "./errors.js";
import { checkMethod, parseTarget } from "./request-line.js";
import { lowerCase, trim } from "./text.js";

export const TOKEN = /[!#$%&'*+.^_`|~0-9A-Za-z-]*/y;

const HOST = /^(?:(?:\[[0-9A-Fa-f:.]+\]|(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+)(?::[0-9]*)?)?$/;

/** How a frame is read: section 7. `methods` are further methods, such as PATCH. */
export function completeRules(rules = {}) {
  return { strict: false, methods: [], maxHead: 64 * 1024, maxHeaders: 128, ...rules };
}

/** A head that has passed the checks. `length` is the number of its bytes, 0 if it came in parts. */
export class Head {
  /** Step 2 of "The order of the checks", all but the first NUL. */
  constructor(method, target, fields, length, strict) {
    this.method = method;
    this.target = target;
    this.fields = fields;
    this.length = length;
    checkHost(this.lines("host"), target, length, strict);
    for (const { lineAt } of this.lines("transfer-encoding")) {
      throw new FrameError("transfer-encoding", lineAt, "Content-Length alone", "Transfer-Encoding");
    }
    /** Content-Length as a BigInt, or undefined. */
    this.contentLength = contentLength(method, this.lines("content-length"), strict);
  }

  /** The fields of this name, which is in lower case. */
  lines(name) {
    return this.fields.filter((field) => lowerCase(field.name) === name);
  }

  /** Their values. */
  values(name) {
    return this.lines(name).map((field) => field.value);
  }
}

function checkHost([host, second], { authority, authorityAt }, length, strict) {
  if (second) throw new FrameError("host", second.lineAt, "one Host", "a second one");
  if (strict && !host) throw new FrameError("host", length, "a Host", "none");
  if (strict && !HOST.test(host.value)) {
    throw new FrameError("host", host.valueAt, "a host, with or without a port", "another value");
  }
  if (authority !== undefined && host && lowerCase(authority) !== lowerCase(host.value)) {
    throw new FrameError("authority", authorityAt, "the value of Host", "another authority");
  }
}

function contentLength(method, lines, strict) {
  let number;
  for (const { lineAt, value, valueAt, raw } of lines) {
    if (strict && method === "CONNECT") throw badLength(lineAt, "no Content-Length with CONNECT", "one");
    if (strict && number !== undefined) throw badLength(lineAt, "one Content-Length", "a second one");
    let at = valueAt;
    for (const member of strict ? [value] : raw.split(",")) {
      // No value has a line end but where it is folded.
      const digits = member.replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, "");
      const significant = digits.replace(/^0+/, "");
      const isNumber = /^[0-9]+$/.test(digits) && significant.length <= 20 && BigInt(significant) < 2n ** 64n;
      if (!isNumber) throw badLength(at, "a number below 2^64", "something else");
      if (number !== undefined && BigInt(significant) !== number) {
        throw badLength(at, "the same number again", "another one");
      }
      number = BigInt(significant);
      at += member.length + 1;
    }
  }
  return number;
}

function badLength(at, expected, found) {
  return new FrameError("content-length", at, expected, found);
}

/**
 * The head of a request that an HTTP library has read or is about to send. `target` stands as in the
 * request line. Section 7, "Requests that were read elsewhere": offsets are 0.
 */
export function headOfRequest(method, target, fields, methods) {
  checkMethod(method, 0, methods);
  const { path, query, authority } = parseTarget(method, target, 0);
  if (/[^\x01-\xff]/.test(target)) {
    throw new FrameError("request-line", 0, "bytes, and no NUL in the target", "something else");
  }
  const lines = fields.map(([name, value]) => {
    value = trim(String(value));
    TOKEN.lastIndex = 0;
    if (name === "" || TOKEN.exec(name)[0] !== name) {
      throw new FrameError("header-name", 0, "a token", "another name");
    }
    if (/[\0-\x08\x0a-\x1f\x7f]|[^\0-\xff]/.test(value)) {
      throw new FrameError("header-value", 0, "bytes, and no control byte but tab", "something else");
    }
    return { name, value, raw: value, lineAt: 0, valueAt: 0 };
  });
  return new Head(method, { path, query, authority, authorityAt: 0 }, lines, 0, true);
}
