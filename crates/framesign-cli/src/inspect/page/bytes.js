// Bytes on the page: every one of them is seen, and nothing in them is markup.

/** Decodes base64. */
export function fromBase64(text) {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

/** Encodes base64, in pieces that a call can take as arguments. */
export function toBase64(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) {
    text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  }
  return btoa(text);
}

/** Makes an element with a class, children and attributes. */
export function element(name, className, children = [], attributes = {}) {
  const made = document.createElement(name);
  if (className) made.className = className;
  // One by one: there may be more of them than a call takes as arguments.
  for (const child of [children].flat()) made.append(child);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

/** Nodes that show bytes: line ends and hidden bytes as labels, text as it is. */
export function shown(bytes, { dots = false } = {}) {
  const nodes = [];
  let text = "";
  const flush = () => {
    if (text) nodes.push(text);
    text = "";
  };
  const label = (word, className) => {
    flush();
    nodes.push(element("span", className, word));
  };
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at];
    if (byte === 0x0d && bytes[at + 1] === 0x0a) {
      label("CRLF", "pill");
      at += 1;
    } else if (byte === 0x0a) label("LF", "pill");
    else if (byte === 0x09) label("⇥", "blank");
    else if (byte === 0x20 && dots) text += "·";
    else if (byte >= 0x20 && byte < 0x7f) text += String.fromCharCode(byte);
    else {
      const character = characterAt(bytes, at);
      if (character) {
        text += character;
        at += new TextEncoder().encode(character).length - 1;
      } else label(byte === 0x0d ? "CR" : `\\x${hex(byte)}`, "pill byte");
    }
  }
  flush();
  return nodes;
}

/** Bytes as one line of text, for labels. */
export function spoken(bytes) {
  return shown(bytes)
    .map((node) => (typeof node === "string" ? node : node.textContent === "⇥" ? "tab" : ` ${node.textContent} `))
    .join("")
    .replace(/^ +$/, (blanks) => (blanks.length > 1 ? `${blanks.length} spaces` : "space"));
}

/** The ranges of the lines of text, their line ends counted. */
export function linesOf(bytes) {
  const lines = [];
  let start = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    if (bytes[at] === 0x0a) {
      lines.push({ start, end: at + 1 });
      start = at + 1;
    }
  }
  if (start < bytes.length) lines.push({ start, end: bytes.length });
  return lines;
}

/** The character of UTF-8 that begins here, if there is one that is seen and changes nothing around it. */
function characterAt(bytes, at) {
  const length = bytes[at] >= 0xf0 ? 4 : bytes[at] >= 0xe0 ? 3 : bytes[at] >= 0xc2 ? 2 : 0;
  if (!length || at + length > bytes.length) return null;
  try {
    const character = new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(at, at + length));
    return /^[\p{L}\p{N}\p{S}]$/u.test(character) ? character : null;
  } catch {
    return null;
  }
}

function hex(byte) {
  return byte.toString(16).toUpperCase().padStart(2, "0");
}
