// What is sent again, how often, and after which pause.

import { setTimeout as sleep } from "node:timers/promises";
import { BrokenConnection } from "./connection.js";
import { UploadError } from "./errors.js";

// Failures that pass, as does every answer with Retry-After.
const PASSING = [408, 425, 429, 500, 502, 503, 504];
// What a server answers to a request with a flipped bit in it, and to one that is wrong.
const REFUSALS = [400, 401, 404, 405, 409, 411, 413, 414, 415, 417, 431, 501, 505];

const FIRST_PAUSE = 500;
const LONGEST_TIMER = 2 ** 31 - 1;

const CLOCK = {
  now: () => performance.now(),
  time: () => Date.now(),
  wait: (pause, signal) => sleep(Math.min(pause, LONGEST_TIMER), undefined, { signal }),
};

/** The attempts since the server had more than before. */
export class Attempts {
  #settings;
  #clock;
  #failures = 0;
  #refusals = 0;
  #since;

  constructor(settings, clock = CLOCK) {
    this.#settings = settings;
    this.#clock = clock;
  }

  /**
   * Resolves to the answer, or to undefined after a pause if another attempt may have another one. An answer
   * that completes the upload is final. `isAccepted`: whether the server has accepted a request with this
   * key. Before that it may rightly refuse, and one further attempt is made.
   */
  async send(send, isAccepted) {
    let answer;
    try {
      answer = await send();
    } catch (cause) {
      if (!(cause instanceof BrokenConnection)) throw cause;
      await this.pause(`no answer of the server: ${cause.message}`, 0, { cause });
      return undefined;
    }
    if (answer.isSuccess || answer.isComplete) return answer;
    const { status, problem } = answer;
    const retryAfter = answer.retryAfter(this.#clock.time());
    if (retryAfter === undefined && REFUSALS.includes(status)) {
      const { damagedRetries } = this.#settings;
      const pause = this.#nextPause(0);
      if (pause === undefined || ++this.#refusals > (isAccepted ? damagedRetries : Math.min(1, damagedRetries))) {
        return answer;
      }
      await this.#wait(`the server answered ${problem}`, pause);
      return undefined;
    }
    if (retryAfter === undefined && !PASSING.includes(status)) return answer;
    await this.pause(`the server answered ${problem}`, retryAfter ?? 0, { status });
    return undefined;
  }

  /** Waits before the next attempt. Rejects by an UploadError if there is to be none. */
  async pause(problem, atLeast = 0, options = {}) {
    const pause = this.#nextPause(atLeast);
    if (pause === undefined) {
      throw new UploadError(`${problem}; gave up after ${this.#failures} failures`, options);
    }
    await this.#wait(problem, pause);
  }

  /** A random part of a time that doubles ("full jitter"), or what the server asks for if that is longer. */
  #nextPause(atLeast) {
    const { retries, longestPause, retryFor } = this.#settings;
    this.#failures++;
    const now = this.#clock.now();
    this.#since ??= now;
    const longest = Math.min(longestPause, FIRST_PAUSE * 2 ** Math.min(this.#failures - 1, 16));
    const pause = Math.max(Math.random() * longest, atLeast);
    return this.#failures <= retries && now - this.#since + pause <= retryFor ? pause : undefined;
  }

  async #wait(problem, pause) {
    const { notify, signal } = this.#settings;
    notify(`${problem}; trying again in ${(pause / 1000).toFixed(1)} s`);
    await this.#clock.wait(pause, signal);
  }
}
