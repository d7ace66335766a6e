// Answers of a server, as far as an upload asks them.

import { claimedSha256, parseBoolean, parseDictionary, parseInteger } from "./structured-fields.js";

/** A final answer. `body` is the beginning of its body, which can be problem details (RFC 9457). */
export class Answer {
  #fields;
  #body;

  constructor({ statusCode, headers }, body) {
    this.status = statusCode;
    this.#fields = headers; // Lines of one name are joined, so an item on several lines is none.
    this.#body = body;
  }

  get isSuccess() {
    return this.status >= 200 && this.status < 300;
  }

  get location() {
    return this.#fields.location;
  }

  get offset() {
    return parseInteger(this.#fields["upload-offset"] ?? "");
  }

  /** Upload-Complete, if it is there. */
  get isComplete() {
    return parseBoolean(this.#fields["upload-complete"] ?? "");
  }

  /** The hash of the whole that Repr-Digest claims. */
  get reprSha256() {
    return claimedSha256([this.#fields["repr-digest"] ?? ""]);
  }

  /**
   * What Upload-Limit tells, where it tells it: bytes. Undefined without the field, and if a member of it has
   * another type than it should have.
   */
  get limits() {
    const line = this.#fields["upload-limit"];
    const members = line === undefined ? undefined : parseDictionary([line]);
    if (!members) return undefined;
    const found = ["max-size", "min-append-size", "max-append-size"].map((name) => members.get(name));
    if (found.some((value) => value !== undefined && !/^[0-9]{1,15}$/.test(value))) return undefined;
    const [maxSize, minAppendSize, maxAppendSize] = found.map((value) => value && Number(value));
    return { maxSize, minAppendSize, maxAppendSize };
  }

  /** Whether the server says in its answer to OPTIONS that it takes parts. */
  get takesParts() {
    const types = (this.#fields["accept-patch"] ?? "").toLowerCase().split(",");
    const isPatch = types.some((type) => type.split(";")[0].trim() === "application/partial-upload");
    return this.limits !== undefined || isPatch;
  }

  /** The milliseconds to wait before the next attempt (RFC 9110 section 10.2.3), or undefined. */
  retryAfter(now) {
    const value = this.#fields["retry-after"]?.trim() ?? "";
    if (/^[0-9]+$/.test(value)) return Number(value) * 1000;
    if (!/^[A-Z][a-z]{2,8},? .*\d\d:\d\d:\d\d/.test(value)) return undefined;
    // One of the three forms of a date has no zone.
    const time = Date.parse(value.endsWith("GMT") ? value : `${value} GMT`);
    return Number.isNaN(time) ? undefined : Math.max(0, time - now);
  }

  /** The status, and what the server says of it in problem details, if that is a line of text. */
  get problem() {
    const [type] = (this.#fields["content-type"] ?? "").split(";");
    if (type.trim().toLowerCase() !== "application/problem+json") return String(this.status);
    try {
      const { detail } = JSON.parse(this.#body.toString());
      if (typeof detail === "string" && /^\P{C}+$/u.test(detail)) return `${this.status} (${detail})`;
    } catch {
      // No JSON: the status says enough.
    }
    return String(this.status);
  }
}
