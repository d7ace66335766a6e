// The request line and the four forms of its target: section 4, rules 7.4 to 7.8 and 7.11.
//
// Bytes of a head are in strings, of which each character is a byte (latin1).

import { FrameError } from "./errors.js";
import { trim, trimEnd } from "./text.js";

const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE"]);

const HOST_PORT = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~%!$&'()*+,;=-]+):[0-9]+$/;
const ABSOLUTE = /^(https?:\/\/)([^/?]*)([^?]*)(\?)?(.*)$/is;
const NOT_OF_TARGET = /[^A-Za-z0-9._~!$&'()*+,;=:@/?%-]|%(?![0-9A-Fa-f]{2})/;
const NOT_OF_AUTHORITY = /[^A-Za-z0-9._~!$&'()*+,;=:@[\]%-]|%(?![0-9A-Fa-f]{2})/;

/** Method, target and version of a line that begins at `at`, with their offsets: rule 7.4. */
export function splitRequestLine(line, at, strict) {
  if (!strict) line = trimEnd(line);
  const first = line.indexOf(" ");
  const last = line.lastIndexOf(" ");
  if (first <= 0 || first === last) throw badRequestLine(at + Math.max(first, 0), "too few parts");
  let target = line.slice(first + 1, last);
  let targetAt = at + first + 1;
  if (!strict) {
    targetAt += /^[ \t]*/.exec(target)[0].length;
    target = trim(target);
  }
  if (target === "") throw badRequestLine(at + first + 1, "no target");
  const bad = strict ? target.search(/[ \0]/) : -1;
  if (bad >= 0) throw badRequestLine(targetAt + bad, "a space or NUL in the target");
  return { method: line.slice(0, first), target, targetAt, version: line.slice(last + 1), versionAt: at + last + 1 };
}

function badRequestLine(at, found) {
  return new FrameError("request-line", at, "method SP target SP version", found);
}

/** Rule 7.5. */
export function checkVersion(version, at, strict) {
  if (!/^HTTP\/[0-9]\.[0-9]$/.test(version)) {
    throw new FrameError("request-line", at, "HTTP/, a digit, a point and a digit", "another version");
  }
  if (version !== "HTTP/1.1" && (strict || version !== "HTTP/1.0")) {
    throw new FrameError("version", at, strict ? "HTTP/1.1" : "HTTP/1.1 or HTTP/1.0", version);
  }
}

/** Rules 7.6 and 7.7. */
export function checkMethod(method, at, allowed) {
  if (METHODS.has(method) || allowed.includes(method)) return;
  const found = /^[!#-'*+.^_|~0-9A-Za-z-]{1,20}$/.test(method) ? `\`${method}\`` : "another one";
  throw new FrameError("method", at, "a method of RFC 7231 or one that `methods` allows", found);
}

/** The form of a target, in the order of section 4. A form without path has an empty `path`. */
export function parseTarget(method, target, at) {
  if (method === "CONNECT") {
    if (!HOST_PORT.test(target)) throw badTarget(at, "host:port");
    return { path: "", query: "", authority: target, authorityAt: at };
  }
  if (target.startsWith("/")) {
    const [path] = target.split("?", 1);
    return { path, query: target.slice(path.length + 1) };
  }
  if (target === "*" && method === "OPTIONS") return { path: "", query: "" };
  const absolute = ABSOLUTE.exec(target);
  if (!absolute) throw badTarget(at, "a path, or a URL with http or https");
  const [, scheme, authority, path, questionMark, query] = absolute;
  const authorityAt = at + scheme.length;
  if (authority === "") throw badTarget(authorityAt, "an authority");
  const asksAboutServer = method === "OPTIONS" && path === "" && !questionMark;
  return { path: path || (asksAboutServer ? "" : "/"), query, authority, authorityAt };
}

function badTarget(at, expected) {
  return new FrameError("target", at, expected, "something else");
}

/** Rule 7.8 in strict reading. */
export function checkTargetBytes(target, at, { authority, authorityAt }) {
  let end = 0;
  if (authority !== undefined) {
    end = authorityAt - at + authority.length;
    const bad = authority.search(NOT_OF_AUTHORITY);
    if (bad >= 0) throw badTarget(authorityAt + bad, "a byte of an authority");
  }
  const bad = target.slice(end).search(NOT_OF_TARGET);
  if (bad >= 0) throw badTarget(at + end + bad, "a byte of a URI");
}
