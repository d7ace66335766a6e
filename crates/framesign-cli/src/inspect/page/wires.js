// The lines from the frame to the canonical request, and from there to the string to sign.

const SVG = "http://www.w3.org/2000/svg";

export class Wires {
  /** Draws `wires`, each with `from` and `to`, which are rows, over `root`. */
  constructor(root, wires) {
    this.root = root;
    this.wires = wires;
    this.svg = document.createElementNS(SVG, "svg");
    this.svg.setAttribute("aria-hidden", "true");
    root.append(this.svg);
    new ResizeObserver(() => this.draw()).observe(root);
    document.fonts?.ready.then(() => this.draw());
  }

  draw() {
    if (!this.root.isConnected) return;
    const origin = this.root.getBoundingClientRect();
    this.svg.replaceChildren();
    const panel = (name) => this.root.querySelector(name).getBoundingClientRect();
    const [frame, canonical] = [panel(".frame-panel"), panel(".canonical-panel")];
    const left = frame.right - origin.left;
    const right = canonical.left - origin.left;
    for (const wire of this.wires) {
      const [y1, y2] = [wire.from, wire.to].map((row) => middleOf(row) - origin.top);
      const group = add(this.svg, "g", { class: `of-${wire.part}` });
      const bend = (right - left) * 0.5;
      wire.path = add(group, "path", {
        class: `wire${wire.ruled ? " ruled" : ""}`,
        d: `M${left} ${y1}C${left + bend} ${y1} ${right - bend} ${y2} ${right} ${y2}`,
      });
      for (const [x, y] of [[left, y1], [right, y2]]) add(group, "circle", { class: "wire-end", cx: x, cy: y, r: 3 });
    }
    this.arrow(canonical.right - origin.left, panel(".to-sign"), origin);
    this.light(this.lit ?? []);
  }

  arrow(from, stage, origin) {
    const to = stage.left - origin.left;
    const y = stage.top - origin.top + 32;
    add(this.svg, "path", { class: "arrow", d: `M${from} ${y}H${to - 7}` });
    add(this.svg, "path", { class: "arrow-head", d: `M${to} ${y}l-8 -4.5v9z` });
  }

  /** Brings out the wires of these pieces. */
  light(pieces) {
    this.lit = pieces;
    const lit = new Set(pieces);
    this.svg.classList.toggle("dim", pieces.length > 0);
    for (const { path, pieces: own } of this.wires) {
      const isLit = own.some((piece) => lit.has(piece));
      path?.classList.toggle("lit", isLit);
      if (isLit) path.parentNode.parentNode.append(path.parentNode);
    }
  }
}

/** The middle of the first row of text of a line. */
function middleOf(row) {
  const box = row.getBoundingClientRect();
  return box.top + Math.min(box.height / 2, 13);
}

function add(parent, name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  parent.append(made);
  return made;
}
