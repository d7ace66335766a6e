// The picture: frame, canonical request, string to sign, keys and signature, from left to right.

import { element, fromBase64, linesOf, shown, spoken } from "./bytes.js";
import { Wires } from "./wires.js";

const MARKS = {
  "cr-lf": "CRLF line end",
  lf: "LF line end",
  "dropped-space": "space not signed",
  "folded-line": "folded line",
  escape: "escape",
  plus: "plus for a space",
  "encoded-byte": "byte to be escaped",
  "left-out-field": "field not signed",
  payload: null,
};

const PARTS = { method: "method", path: "path", query: "query", header: "header", payload: "payload hash" };

/** Draws what the answer tells, as nodes for the result. */
export function picture(answer) {
  return answer.error ? refusedFrame(answer) : new Picture(answer).nodes();
}

/** A frame that is refused: only its bytes, with the one at which it was. */
function refusedFrame(answer) {
  if (!answer.frame) return [];
  const bytes = fromBase64(answer.frame.bytes_b64);
  const text = new MarkedText(bytes, "frame", answer.frame.marks);
  const at = answer.error.offset;
  if (Number.isInteger(at)) text.ranges.push({ start: at, end: at + 1, refused: true });
  const lines = text.render();
  if (at >= bytes.length) {
    const end = element("span", "seg refused", "end", { title: `byte ${at}: the end` });
    (lines.at(-1)?.querySelector(".text") ?? element("span")).append(" ", end);
  }
  const panel = panelOf("frame-panel", "Frame", sizeOf(answer.frame), element("div", "bytes frame", lines));
  return [element("div", "refused-frame", panel)];
}

class Picture {
  constructor(answer) {
    this.answer = answer;
    this.frameBytes = fromBase64(answer.frame.bytes_b64);
    this.canonicalBytes = fromBase64(answer.canonical_request_b64);
    this.pieces = answer.pieces;
    this.canonicalLines = linesOf(this.canonicalBytes);
    this.parts = this.canonicalLines.map((line, number) => this.partOf(number));
    this.changed = this.pieces.map((piece) => this.isChanged(piece));
  }

  nodes() {
    const root = element("div", "picture");
    root.append(this.framePanel(), this.canonicalPanel(), this.stages());
    const rules = this.rules();
    if (rules) root.append(rules);
    this.root = root;
    this.wires = new Wires(root, this.connections());
    this.listen();
    return [root];
  }

  /** The part of the canonical request that a line belongs to. */
  partOf(number) {
    if (number < 3) return ["method", "path", "query"][number];
    const line = this.canonicalLines[number];
    const isLast = number === this.canonicalLines.length - 1;
    if (isLast) return "payload";
    return line.end - line.start > 1 ? "header" : "end";
  }

  /** Asks if a rule made other bytes of those of the frame, or added more than what separates. */
  isChanged({ section, frame, start, end }) {
    if (!section) return false;
    const text = (bytes) => String.fromCharCode(...bytes);
    const to = text(this.canonicalBytes.subarray(start, end));
    if (!frame.length) return !/^[\n:&]*$/.test(to);
    const [first, last] = frame[0];
    return last - first !== end - start || text(this.frameBytes.subarray(first, last)) !== to;
  }

  lineAt(offset) {
    return lineAt(this.canonicalLines, offset);
  }

  framePanel() {
    const text = new MarkedText(this.frameBytes, "frame", this.answer.frame.marks);
    this.pieces.forEach((piece, number) => {
      const part = this.parts[this.lineAt(piece.start)];
      for (const [start, end] of piece.frame) text.ranges.push({ start, end, piece: number, part, ruled: this.changed[number] });
    });
    this.frameRows = text.render();
    this.frameLines = text.lines;
    const panel = panelOf("frame-panel", "Frame", sizeOf(this.answer.frame), element("div", "bytes frame", this.frameRows));
    const legend = legendOf(this.answer.frame.marks);
    if (legend) panel.append(legend);
    return panel;
  }

  canonicalPanel() {
    const text = new MarkedText(this.canonicalBytes, "canonical", []);
    text.parts = this.parts;
    this.pieces.forEach((piece, number) => {
      text.ranges.push({ start: piece.start, end: piece.end, piece: number, ruled: this.changed[number] });
    });
    this.canonicalRows = text.render();
    this.canonicalRows.forEach((row, number) => row.prepend(this.partButton(number)));
    const size = `${this.canonicalBytes.length} bytes, ${this.canonicalLines.length} lines`;
    return panelOf("canonical-panel", "Canonical request", size, element("div", "bytes canonical", this.canonicalRows));
  }

  /** Names the part of a line, and lights up where the line comes from. */
  partButton(number) {
    const part = this.parts[number];
    if (part === "end") return element("span", "no", "", { "aria-hidden": "true" });
    const sections = [...new Set(this.piecesOfLine(number).map((piece) => this.pieces[piece].section).filter(Boolean))];
    const rules = sections.length ? `; sections ${sections.join(", ")}` : "";
    const button = element("button", "part", PARTS[part], {
      type: "button",
      "aria-pressed": "false",
      "aria-label": `Line ${number + 1}, ${PARTS[part]}: show where it comes from${rules}`,
    });
    button.dataset.line = number;
    return button;
  }

  piecesOfLine(number) {
    const { start, end } = this.canonicalLines[number];
    return this.pieces.flatMap((piece, at) => (piece.start < end && piece.end > start ? [at] : []));
  }

  stages() {
    const { string_to_sign, signature, keys, carried, other } = this.answer;
    const column = element("div", "stages");
    column.append(stage("to-sign", "String to sign", "SHA-256 of the canonical request, in hexadecimal", [hexText(string_to_sign)]));
    column.append(this.keyStage(keys));
    const bottom = [signature ? hexText(signature) : element("p", "hint", "There is no secret key to sign with.")];
    if (carried?.equal != null) bottom.push(badge(carried.equal, "the signature in the frame"));
    if (other?.equal != null && other.kind === "signature") bottom.push(badge(other.equal, "the other side"));
    if (signature) {
      const copy = element("button", "quiet copy", "Copy", { type: "button", "aria-label": "Copy the signature" });
      copy.dataset.copy = signature;
      bottom.push(element("p", "", copy));
    }
    column.append(stage("signature", "Signature", "HMAC-SHA256 of the string to sign, with the signing key", bottom));
    return column;
  }

  keyStage(keys) {
    const { access_key, date } = this.answer;
    const steps = element("dl");
    const add = (term, text) => steps.append(element("dt", "", term), element("dd", "", text));
    add(`Date key: HMAC of ${date ?? "the date"}`, keys ? hexText(keys.date_key) : hiddenKey());
    add(`Signing key: HMAC of ${access_key ?? "the access key"}`, keys ? hexText(keys.signing_key) : hiddenKey());
    return stage("keys", "Keys by stage", "From the secret key, hexadecimal text each time", [steps]);
  }

  /** The rules that shaped the canonical request, each with what it changed. */
  rules() {
    const groups = new Map();
    this.pieces.forEach((piece, number) => {
      if (!piece.section) return;
      const key = `${piece.section} ${piece.text}`;
      if (!groups.has(key)) groups.set(key, []);
      groups.get(key).push(number);
    });
    if (!groups.size) return null;
    const bySection = ([, [one]], [, [other]]) => order(this.pieces[one].section) - order(this.pieces[other].section);
    const items = [...groups].sort(bySection).map(([, numbers]) => element("li", "", this.ruleButton(numbers)));
    const section = panelOf("rules", "What the protocol did", "Choose a rule to see its bytes", element("ol", "", items));
    this.ruleList = section;
    return section;
  }

  ruleButton(numbers) {
    const { section, text } = this.pieces[numbers[0]];
    const parts = new Set(numbers.map((number) => this.parts[this.lineAt(this.pieces[number].start)]));
    const button = element("button", parts.size === 1 ? `of-${[...parts][0]}` : "", [
      element("span", "section", [element("span", "unseen", "Section "), section]),
      element("span", "why", text),
      ...this.changes(numbers),
    ], { type: "button", "aria-pressed": "false" });
    button.dataset.pieces = numbers.join(" ");
    return button;
  }

  /** Some of what a rule changed: from, and to. */
  changes(numbers) {
    const changes = new Set();
    for (const number of numbers) {
      const { frame, start, end } = this.pieces[number];
      const places = frame.map(([first, last]) => spoken(this.frameBytes.subarray(first, last)));
      const from = [...new Set(places)].join(" … ");
      const to = spoken(this.canonicalBytes.subarray(start, end));
      if (from && from !== to) changes.add(JSON.stringify([short(from), short(to)]));
    }
    if (!changes.size) return [];
    const shownChanges = [...changes].slice(0, 4).flatMap((change, at) => {
      const [from, to] = JSON.parse(change);
      return [at ? ", " : "", `${from} `, element("i", "", [element("span", "", "→", ), element("span", "unseen", " became ")]), ` ${to}`];
    });
    if (changes.size > 4) shownChanges.push(element("i", "", ` and ${changes.size - 4} more`));
    return [element("span", "change", shownChanges)];
  }

  /** Which line of the frame goes to which line of the canonical request. */
  connections() {
    const found = new Map();
    this.pieces.forEach((piece, number) => {
      const to = this.lineAt(piece.start);
      for (const [start] of piece.frame) {
        const from = lineAt(this.frameLines, start);
        if (from < 0 || to < 0) continue;
        const key = `${from} ${to}`;
        const wire = found.get(key) ?? { from: this.frameRows[from], to: this.canonicalRows[to], part: this.parts[to], pieces: [], ruled: false };
        wire.pieces.push(number);
        wire.ruled ||= this.changed[number];
        found.set(key, wire);
      }
    });
    return [...found.values()];
  }

  listen() {
    const hovered = (event) => {
      if (event.target.closest("button")) return;
      const segment = event.target.closest(".seg[data-pieces]");
      this.light(segment ? numbersOf(segment) : this.chosen ?? []);
    };
    this.root.addEventListener("pointerover", hovered);
    this.root.addEventListener("pointerleave", () => this.light(this.chosen ?? []));
    this.root.addEventListener("click", (event) => {
      const button = event.target.closest(".part");
      if (button) this.choose(button, this.piecesOfLine(Number(button.dataset.line)));
    });
    this.ruleList?.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) this.choose(button, numbersOf(button));
    });
    const aimed = (event) => {
      const button = event.target.closest("button");
      if (button?.dataset.pieces) this.light(numbersOf(button));
      else if (button?.dataset.line) this.light(this.piecesOfLine(Number(button.dataset.line)));
    };
    const left = () => this.light(this.chosen ?? []);
    this.root.addEventListener("focusin", aimed);
    this.root.addEventListener("focusout", left);
    this.root.addEventListener("pointerover", (event) => event.target.closest("button") && aimed(event));
  }

  /** Keeps pieces lit, or lets go of them. */
  choose(button, pieces) {
    const wasPressed = button.getAttribute("aria-pressed") === "true";
    for (const pressed of document.querySelectorAll('#result [aria-pressed="true"]')) pressed.setAttribute("aria-pressed", "false");
    this.chosen = wasPressed ? null : pieces;
    button.setAttribute("aria-pressed", String(!wasPressed));
    this.light(this.chosen ?? []);
  }

  light(pieces) {
    const lit = new Set(pieces);
    for (const segment of this.root.querySelectorAll(".seg[data-pieces]")) {
      const isHot = numbersOf(segment).some((piece) => lit.has(piece));
      segment.classList.toggle("hot", isHot);
    }
    for (const row of this.root.querySelectorAll(".line")) row.classList.toggle("lit", !!row.querySelector(".hot"));
    this.wires.light(pieces);
  }
}

/** Text whose bytes belong to ranges: marks, and pieces of the canonical request. */
class MarkedText {
  constructor(bytes, kind, marks) {
    this.bytes = bytes;
    this.kind = kind;
    this.lines = linesOf(bytes);
    this.ranges = marks.map(({ start, end, kind: mark }) => ({ start, end, mark }));
    this.parts = null;
  }

  /** A row for each line. */
  render() {
    const sweep = new Sweep(this.ranges);
    return this.lines.map((line, number) => {
      const ranges = sweep.within(line.start, line.end);
      const text = element("span", "text", this.segments(line, ranges));
      const row = element("div", "line", text);
      if (this.kind === "frame") row.prepend(element("span", "no", String(line.start), { "aria-hidden": "true" }));
      const part = this.parts?.[number] ?? partOf(ranges);
      if (part) row.classList.add(`of-${part}`);
      return row;
    });
  }

  segments({ start, end }, ranges) {
    const cuts = new Set([start, end]);
    for (const range of ranges) {
      cuts.add(Math.max(range.start, start));
      cuts.add(Math.min(range.end, end));
    }
    const places = [...cuts].sort((one, other) => one - other);
    const sweep = new Sweep(ranges);
    return places.slice(1).map((to, at) => this.segment(places[at], to, sweep.within(places[at], to)));
  }

  /** Makes an element of bytes that all belong to the ranges `own`. */
  segment(start, end, own) {
    // The innermost of several marks.
    const length = (range) => range.end - range.start;
    const mark = own.filter((range) => range.mark).sort((one, other) => length(one) - length(other))[0]?.mark;
    const pieces = own.filter((range) => range.piece != null);
    const made = element("span", "seg", shown(this.bytes.subarray(start, end), { dots: mark?.includes("dropped") }));
    if (mark) made.dataset.mark = mark;
    if (pieces.length) made.dataset.pieces = [...new Set(pieces.map((range) => range.piece))].join(" ");
    if (pieces.some((range) => range.ruled)) made.classList.add("ruled");
    const part = pieces.find((range) => range.part)?.part;
    if (part) made.classList.add(`of-${part}`);
    if (own.some((range) => range.refused)) {
      made.classList.add("refused");
      made.prepend(element("span", "unseen", "refused here: "));
    }
    return made;
  }
}

/**
 * Finds the ranges at places that follow each other. A range is looked at only where it is, so that all places
 * together cost what the ranges do, and sorting them (a sweep line).
 */
class Sweep {
  constructor(ranges) {
    const byStart = (one, other) => one.range.start - other.range.start;
    this.coming = ranges.map((range, order) => ({ range, order })).sort(byStart);
    this.next = 0;
    this.open = [];
  }

  /** The ranges that have bytes from `start` to `end`, in the order that they were given in. */
  within(start, end) {
    for (; this.coming[this.next]?.range.start < end; this.next += 1) this.open.push(this.coming[this.next]);
    this.open = this.open.filter(({ range }) => range.end > start);
    return this.open.toSorted((one, other) => one.order - other.order).map(({ range }) => range);
  }
}

/** The part that all of a line of the frame goes to; the request line has several. */
function partOf(ranges) {
  const parts = new Set(ranges.map((range) => range.part).filter(Boolean));
  return parts.size === 1 ? [...parts][0] : null;
}

/** The number of the line that has this byte, -1 if none has; lines follow each other without gaps. */
function lineAt(lines, offset) {
  let [first, after] = [0, lines.length];
  while (first < after) {
    const middle = (first + after) >> 1;
    if (offset < lines[middle].end) after = middle;
    else first = middle + 1;
  }
  return offset >= lines[first]?.start ? first : -1;
}

/** The numbers of the pieces that an element stands for. */
function numbersOf(owner) {
  return owner.dataset.pieces.split(" ").map(Number);
}

/** Sections in their order: 5.2 before 5.10. */
function order(section) {
  const [major, minor = "0"] = section.split(".");
  return Number(major) * 1000 + Number(minor);
}

function panelOf(className, title, detail, body) {
  const heading = element("h2", "", title);
  heading.id = `${className}-title`;
  const section = element("section", `card panel ${className}`, [], { "aria-labelledby": heading.id });
  section.append(element("header", "", [heading, element("p", "", detail)]), body);
  return section;
}

function stage(className, title, how, children) {
  const heading = element("h2", "", title);
  heading.id = `stage-${className}-title`;
  return element("section", `card stage ${className}`, [heading, element("p", "how", how), ...children], { "aria-labelledby": heading.id });
}

function hexText(text) {
  return element("code", "hex", text);
}

function hiddenKey() {
  return element("span", "hint", "not shown");
}

function badge(isEqual, whom) {
  return element("p", `badge ${isEqual ? "good" : "bad"}`, isEqual ? `✓ Equal to ${whom}` : `✗ Differs from ${whom}`);
}

/** Names the marks in a frame, with how many there are. */
function legendOf(marks) {
  const counts = new Map();
  for (const { kind } of marks) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  const entries = [...counts].flatMap(([kind, count]) => {
    const name = kind in MARKS ? MARKS[kind] : kind.replaceAll("-", " ");
    return name ? [element("li", `legend-${kind}`, [element("b", "", String(count)), ` × ${name}`])] : [];
  });
  return entries.length ? element("ul", "legend", entries, { "aria-label": "Marked in the frame" }) : null;
}

function sizeOf(frame) {
  const shownLength = fromBase64(frame.bytes_b64).length;
  const size = `${frame.len.toLocaleString("en")} bytes`;
  return shownLength < frame.len ? `${size}, the first ${shownLength.toLocaleString("en")} shown` : size;
}

function short(text) {
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
