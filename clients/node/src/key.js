// Keys, dates and the derivation of a signing key: sections 1 and 2.

import { createHash, createHmac } from "node:crypto";
import { SigningError } from "./errors.js";
import { daysSince1970, daysOfMonth } from "./time.js";

/** The two keys of section 1. The secret is not shown by `console.log`. */
export class Credentials {
  #secretKey;

  constructor(accessKey, secretKey) {
    for (const [what, key] of Object.entries({ "access key": accessKey, "secret key": secretKey })) {
      if (typeof key !== "string" || key === "" || key.includes("\0")) {
        throw new SigningError(`the ${what} is empty, holds a NUL or is no text: give another one`);
      }
    }
    this.accessKey = accessKey;
    this.#secretKey = secretKey;
  }

  /** The key of one day, `YYYYMMDD`. */
  keyOf(date) {
    if (!isDate(date)) throw new SigningError("the date is not YYYYMMDD of an existing day: give another one");
    return new SigningKey(date, hmacHex(hmacHex(this.#secretKey, date), this.accessKey));
  }
}

/** A derived key. Made by `Credentials.keyOf`. */
export class SigningKey {
  #key;

  constructor(date, key) {
    this.date = date;
    this.#key = key;
  }

  /** The signature of a canonical request, 64 lower-case hexadecimal digits. */
  sign(canonical) {
    return hmacHex(this.#key, stringToSign(canonical));
  }
}

/** The hash of a canonical request, 64 lower-case hexadecimal digits. */
export function stringToSign(canonical) {
  return createHash("sha256").update(canonical, "latin1").digest("hex");
}

function hmacHex(key, message) {
  return createHmac("sha256", key).update(message).digest("hex");
}

/** Whether this is `YYYYMMDD`, a day of the years 0001 to 9999. */
export function isDate(text) {
  if (!/^[0-9]{8}$/.test(text)) return false;
  const [year, month, day] = datePartsOf(text);
  return year > 0 && day >= 1 && day <= daysOfMonth(year, month);
}

/** Days since 1970 of a date. */
export function dayOf(date) {
  return daysSince1970(...datePartsOf(date));
}

function datePartsOf(text) {
  return [text.slice(0, 4), text.slice(4, 6), text.slice(6)].map(Number);
}
