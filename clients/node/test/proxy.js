// A proxy on loopback that does something when a number of bytes has gone to the server.

import { once } from "node:events";
import { connect, createServer } from "node:net";

export class Proxy {
  #plan = [];
  #target;
  #onAnswer;
  passed = 0;

  constructor(serverUrl) {
    this.connectTo(serverUrl);
    this.server = createServer((client) => {
      const { hostname, port } = this.#target;
      const server = connect(port, hostname);
      const end = () => [client, server].forEach((side) => side.destroy());
      for (const side of [client, server]) side.on("error", end).on("close", end);
      client.on("data", (piece) => {
        const passed = this.#act(piece);
        if (passed) server.write(passed);
        else end();
      });
      server.on("data", (piece) => {
        const action = this.#onAnswer;
        this.#onAnswer = undefined;
        const passed = action ? action(piece) : piece;
        if (passed) client.write(passed);
        else end();
      });
    });
  }

  /** Passes further connections on to this server. */
  connectTo(serverUrl) {
    this.#target = new URL(serverUrl);
  }

  /** Calls `use` while the proxy runs. */
  async run(use) {
    await once(this.server.listen(0, "127.0.0.1"), "listening");
    this.url = `http://127.0.0.1:${this.server.address().port}`;
    try {
      return await use(this);
    } finally {
      this.server.close();
    }
  }

  /** Calls `action` with the piece in which so many bytes have passed. It returns what goes on, if anything. */
  at(passed, action) {
    this.#plan.push([passed, action]);
    this.#plan.sort(([a], [b]) => a - b);
  }

  /** Calls `action` with the next piece that comes from the server. It returns what goes on, if anything. */
  nextAnswer(action) {
    this.#onAnswer = action;
  }

  #act(piece) {
    this.passed += piece.length;
    if (this.#plan.length === 0 || this.passed < this.#plan[0][0]) return piece;
    const [[, action]] = this.#plan.splice(0, 1);
    return action(piece);
  }
}

/** One bit flips on the way. */
export function flip(piece) {
  piece[piece.length >> 1] ^= 16;
  return piece;
}

/** The connection breaks. */
export function cut() {
  return undefined;
}
