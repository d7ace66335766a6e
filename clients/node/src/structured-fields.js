// Structured fields (RFC 9651), as far as they are read here; the hash that a head claims for its payload.

const KEY = "[a-z*][a-z0-9_.*-]*";
const BASE64 = "(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}={0,2}|[A-Za-z0-9+/]{3}=?)?";
const ITEM = [
  "-?[0-9]{1,12}\\.[0-9]{1,3}", // decimal
  "-?[0-9]{1,15}", // integer
  '"(?:[ !#-\\[\\]-~]|\\\\["\\\\])*"', // string
  "[A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]*", // token
  `:${BASE64}:`, // byte sequence
  "\\?[01]", // boolean
].join("|");
const PARAMETERS = `(?:; *${KEY}(?:=(?:${ITEM}))?)*`;
const INNER_LIST = `\\( *(?:(?:${ITEM})${PARAMETERS}(?: +(?:${ITEM})${PARAMETERS})*)? *\\)`;
const MEMBER = new RegExp(`(${KEY})(?:=(${ITEM}|${INNER_LIST}))?${PARAMETERS}`, "y");
const INTEGER = new RegExp(`^ *([0-9]{1,15})${PARAMETERS} *$`);
const BOOLEAN = new RegExp(`^ *\\?([01])${PARAMETERS} *$`);
const END = /[ \t]*$/y;
const COMMA = /[ \t]*,[ \t]*/y;

/** A non-negative Integer, whose parameters are read over, or undefined. */
export function parseInteger(line) {
  const integer = INTEGER.exec(line);
  return integer ? Number(integer[1]) : undefined;
}

/** A Boolean, whose parameters are read over, or undefined. */
export function parseBoolean(line) {
  const boolean = BOOLEAN.exec(line);
  return boolean ? boolean[1] === "1" : undefined;
}

/** The members of all lines: key and value as they stand, without parameters. Undefined if malformed. */
export function parseDictionary(lines) {
  const text = lines.join(", ").replace(/^ +| +$/g, "");
  const members = new Map();
  for (let at = 0; text !== "";) {
    const member = matchAt(MEMBER, text, at);
    if (!member) return undefined;
    members.set(member[1], member[2] ?? "?1");
    at += member[0].length;
    if (matchAt(END, text, at)) break;
    const comma = matchAt(COMMA, text, at);
    if (!comma) return undefined;
    at += comma[0].length;
  }
  return members;
}

/** The 32 bytes that the last member `sha-256` of all lines claims, a Buffer, or undefined. */
export function claimedSha256(lines) {
  const claimed = parseDictionary(lines)?.get("sha-256");
  const sha256 = Buffer.from(claimed?.startsWith(":") ? claimed.slice(1, -1) : "", "base64");
  return sha256.length === 32 ? sha256 : undefined;
}

function matchAt(pattern, text, at) {
  pattern.lastIndex = at;
  return pattern.exec(text);
}

/** The value of Content-Digest or Repr-Digest for a hash (RFC 9530). */
export function contentDigest(sha256) {
  return `sha-256=:${sha256.toString("base64")}:`;
}
