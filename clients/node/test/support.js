// The published vectors, the ways in which input is cut, and the keys of the examples.

import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Credentials } from "../src/key.js";

export const ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE";
export const SECRET_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
export const CREDENTIALS = new Credentials(ACCESS_KEY, SECRET_KEY);
export const DATE = "20230801";

const TESTS = fileURLToPath(new URL("../../../tests/", import.meta.url));

// Up to this length an input is cut in two at every byte; above it near both ends, near the limit of heads,
// and every 997 bytes.
const EVERY_CUT = 1024;
const LIMIT = 64 * 1024;

/** All ways in which a test hands an input over, each a list of chunks. */
export function* ways(data) {
  yield [data];
  yield Array.from(data, (_, at) => data.subarray(at, at + 1));
  for (const cut of cuts(data.length)) yield [data.subarray(0, cut), data.subarray(cut)];
  const random = pseudorandom(data.length + 1);
  for (let round = 0; round < 5; round++) {
    const chunks = [];
    for (let at = 0; at < data.length;) {
      const size = [0, 1, 2, 7, 64, 4096][random() % 6];
      chunks.push(data.subarray(at, at + size));
      at += size;
    }
    yield chunks;
  }
}

function* cuts(length) {
  for (let at = 0; at <= length; at++) {
    const isNear = at < 64 || Math.abs(at - LIMIT) <= 16 || at >= length - 16;
    if (length <= EVERY_CUT || isNear || at % 997 === 0) yield at;
  }
}

/** A generator of Lehmer: the same numbers each time. */
export function pseudorandom(state) {
  return () => (state = (state * 48271) % 2147483647);
}

/** The folders of vectors of a kind, with their frames: `{ folder, frame }`. */
export function cases(kind) {
  const paths = readdirSync(`${TESTS}${kind}`, { recursive: true, withFileTypes: true });
  const folders = paths.filter(({ name }) => name === "frame.http").map((file) => file.parentPath ?? file.path);
  assert(folders.length > 100, `no vectors under tests/${kind}`);
  return folders.sort().map((folder) => ({ folder, frame: readFileSync(`${folder}/frame.http`) }));
}

/** A file of a folder, or undefined. */
export function file(folder, name) {
  const path = `${folder}/${name}`;
  return existsSync(path) ? readFileSync(path) : undefined;
}
