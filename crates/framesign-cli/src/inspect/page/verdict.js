// What the page says first: the signature, the cause, the differences, or why the frame is refused.

import { element, fromBase64, shown } from "./bytes.js";

/** One sentence for the live region, and the nodes that say the same and more. */
export function verdict(answer, pasted = "") {
  const said = sentence(answer);
  const heading = element("h2", "", withCode(said.title), { id: "verdict-title" });
  const text = element("div", "", [heading, ...said.texts.map((sentence) => element("p", "", sentence))]);
  const sign = element("span", "sign", said.sign, { "aria-hidden": "true" });
  const box = element("section", `verdict ${said.tone}`, [sign, text], { "aria-labelledby": "verdict-title" });
  if (Number.isInteger(answer.error?.input_offset)) text.append(excerpt(pasted, answer.error.input_offset));
  if (said.also?.length) {
const others = element("ul", "", said.also.map((other) => element("li", "", withCode(other))));
    text.append(element("details", "also", [element("summary", "", `What else would make both sides equal: ${said.also.length}`), others]));
  }
  const nodes = [box];
  if (answer.notes?.length) {
    nodes.push(element("ul", "notes", answer.notes.map((note) => element("li", "", note)), { "aria-label": "Taken for granted" }));
  }
  return { text: `${said.title}. ${said.texts.join(" ")}`.replaceAll("`", ""), nodes };
}

function sentence(answer) {
  const { error, cause, differences = [], other, carried, signature } = answer;
  if (error) return refused(error);
  if (cause) {
    const side = {
      ours: "This side has to change.",
      theirs: "The other side has to change.",
      between: "What stands between the two sides has to change: a proxy, or the client.",
    }[cause.side];
    const texts = [[side, cause.section && `Section ${cause.section}.`].filter(Boolean).join(" ")];
    return { tone: "bad", sign: "≠", title: `The cause: ${cause.message}`, texts, also: cause.also };
  }
  const isEqual = other?.equal ?? carried?.equal;
  const whom = other ? "the other side" : "the frame";
  if (isEqual === true) {
    const what = other?.kind === "canonical-request" && !signature ? "Both canonical requests are equal" : `Equal: what ${whom} has is what the protocol asks for`;
    return { tone: "good", sign: "✓", title: what, texts: [] };
  }
  if (isEqual === false) {
    const count = differences.length;
    const found = count === 1 ? "1 line differs" : count ? `${count} lines differ` : "They differ";
    return { tone: "warn", sign: "≠", title: `${found}, and no single change makes both sides equal`, texts: [
      count ? "All differences are listed below." : "The canonical request of the other side would tell more than its signature.",
    ] };
  }
  if (!signature) {
    return { tone: "plain", sign: "→", title: "Canonical request and string to sign", texts: ["Add access key and secret key to see the signature."] };
  }
  return { tone: "plain", sign: "→", title: "This is how the request is signed", texts: ["Paste what the other side has, and the two are compared."] };
}

function refused(error) {
  const place = Number.isInteger(error.offset) ? "The byte is marked below." : "";
  const section = error.section ? `Section ${error.section}.` : "";
  return { tone: "bad", sign: "✗", title: `Refused (${error.kind}): ${error.message}`, texts: [[section, place].filter(Boolean).join(" ")].filter(Boolean) };
}

/** Text whose parts in backticks are code. */
function withCode(text) {
  return text.split("`").map((part, at) => (at % 2 ? element("code", "", part) : part));
}

/** The text around a byte of what was pasted. */
function excerpt(pasted, offset) {
  const bytes = new TextEncoder().encode(pasted);
  const text = (start, end) => new TextDecoder().decode(bytes.subarray(Math.max(start, 0), end)).replace(/\s+/g, " ");
  const rest = text(offset, offset + 60);
  const place = element("mark", "", rest.slice(0, 1) || "the end");
  const before = `${offset > 40 ? "…" : ""}${text(offset - 40, offset)}`;
  return element("p", "excerpt", [before, place, rest.slice(1)], { });
}

/** Every line in which the other side differs. */
export function differences(list) {
  const heading = element("h2", "", "Differences", { id: "differences-title" });
  const count = list.length === 1 ? "1 line" : `${list.length} lines`;
  const section = element("section", "card panel differences", element("header", "", [heading, element("p", "", count)]), { "aria-labelledby": "differences-title" });
  const items = list.map((difference) => {
    const lines = element("dl", "", [
      element("dt", "", "ours"), element("dd", "", side(difference.ours_b64, difference, "ins")),
      element("dt", "", "theirs"), element("dd", "", side(difference.theirs_b64, difference, "del")),
    ]);
    return element("li", "", [element("h3", "", `Line ${difference.line}, ${difference.part}, from byte ${difference.byte} on`), lines]);
  });
  section.append(element("ol", "", items));
  return section;
}

/** A line of one side: what both have, then what differs, then what both end in. */
function side(text, { byte, ours_b64, theirs_b64 }, name) {
  if (text == null) return [element("em", "hint", "no such line")];
  const bytes = fromBase64(text);
  const end = bytes.length - alikeEnd(ours_b64, theirs_b64, byte);
  const differing = bytes.subarray(byte, end);
  const middle = differing.length ? [element(name, "", shown(differing))] : [];
  return [...shown(bytes.subarray(0, byte)), ...middle, ...shown(bytes.subarray(end))];
}

function alikeEnd(ours, theirs, from) {
  if (ours == null || theirs == null) return 0;
  const [one, other] = [fromBase64(ours), fromBase64(theirs)];
  const most = Math.min(one.length, other.length) - from;
  let count = 0;
  while (count < most && one[one.length - 1 - count] === other[other.length - 1 - count]) count += 1;
  return count;
}
