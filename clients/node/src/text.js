// Text as it stands in a head: strings of which each character is a byte (latin1).

/** Without spaces and tabs at the end, and nothing else that others may call whitespace. */
export function trimEnd(text) {
  let end = text.length;
  while (end > 0 && (text[end - 1] === " " || text[end - 1] === "\t")) end--;
  return text.slice(0, end);
}

/** Without spaces and tabs at both ends. */
export function trim(text) {
  return trimEnd(text).replace(/^[ \t]+/, "");
}

/** Lower case of ASCII alone: `toLowerCase` would change bytes such as 0xC4 as well. */
export function lowerCase(text) {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

/** Groups pairs by their first member, and sorts the groups by it in ascending order of bytes. */
export function grouped(pairs) {
  const groups = new Map();
  for (const [name, value] of pairs) {
    const group = groups.get(name);
    if (group) group.push(value);
    else groups.set(name, [value]);
  }
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1));
}
