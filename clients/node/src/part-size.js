// The size of parts.

import { SourceError } from "./errors.js";

const MEBIBYTE = 2 ** 20;

// Object stores take no more parts of one upload.
const MOST_PARTS = 10_000;

// The next part of a stream is at least one of so many of what was sent. With parts of 16 MiB it grows after
// 31 GiB, and 10,000 parts hold more than 1 TiB.
const GROWTH = 2_000;

// Of a part of a stream, which is held in memory, unless the caller asks for as many.
const MOST_HELD = 1024 * MEBIBYTE;

// A limit below this is a mistake of the server, or an attack by the number of requests.
const LEAST_APPEND = 4 * 1024;

/** The bytes of the part at `offset`: what is asked for, as far as limits and number of parts allow. */
export function partSize(asked, limits, length, offset) {
  const needed = length === undefined ? Math.floor(offset / GROWTH) : Math.ceil(length / MOST_PARTS);
  const size = needed <= asked ? asked : Math.ceil(needed / MEBIBYTE) * MEBIBYTE;
  const least = limits.minAppendSize ?? 0;
  const most = Math.max(asked, MOST_HELD);
  if (length === undefined && least > most) {
    throw new SourceError(
      `the server takes parts of at least ${least} bytes, and a part of a stream is held in memory, at most ` +
        `${most} bytes: send a file`,
    );
  }
  const left = length === undefined ? asked : Math.min(asked, length - offset);
  return Math.max(1, Math.min(Math.max(size, least), maxAppendSize(limits, left)));
}

/** The most bytes of a part of which `left` bytes are still to be sent. */
export function maxAppendSize({ maxAppendSize = Infinity }, left) {
  if (maxAppendSize < Math.min(LEAST_APPEND, left)) {
    throw new SourceError(
      `the server takes parts of at most ${maxAppendSize} bytes, and there would be no end of them: ask the ` +
        `operator for ${LEAST_APPEND} or more`,
    );
  }
  return maxAppendSize;
}
