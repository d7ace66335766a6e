// The hash that a head claims for its payload: a dictionary of RFC 8941, section 9.

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
const MEMBER = new RegExp(`(${KEY})(?:=(?::(${BASE64}):|${ITEM}|${INNER_LIST}))?${PARAMETERS}`, "y");
const END = /[ \t]*$/y;
const COMMA = /[ \t]*,[ \t]*/y;

/** The 32 bytes that the last member `sha-256` of all lines claims, a Buffer, or undefined. */
export function claimedSha256(lines) {
  const text = lines.join(", ").replace(/^ +| +$/g, "");
  let claimed;
  for (let at = 0; text !== "";) {
    const member = matchAt(MEMBER, text, at);
    if (!member) return undefined;
    if (member[1] === "sha-256") claimed = member[2];
    at += member[0].length;
    if (matchAt(END, text, at)) break;
    const comma = matchAt(COMMA, text, at);
    if (!comma) return undefined;
    at += comma[0].length;
  }
  const sha256 = Buffer.from(claimed ?? "", "base64");
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
