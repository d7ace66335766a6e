// Times as section 9 writes them, in nanoseconds since 1970. `Date` has only milliseconds.

const TIME = new RegExp(
  "^([0-9]{4})-([0-9]{2})-([0-9]{2})T([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9])" +
    "(?:\\.([0-9]{1,9}))?(?:Z|([+-])([01][0-9]|2[0-3]):([0-5][0-9]))$",
);

export const SECOND = 1_000_000_000n;
export const DAY = 86_400n * SECOND;

/** Nanoseconds since 1970 of a time, a BigInt, or undefined. */
export function parseTime(text) {
  const match = TIME.exec(text);
  if (!match) return undefined;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number);
  if (day < 1 || day > daysOfMonth(year, month)) return undefined;
  const minutes = match[8] ? Number(match[9]) * 60 + Number(match[10]) : 0;
  const offset = match[8] === "-" ? -minutes : minutes;
  const seconds = daysSince1970(year, month, day) * 86_400 + hour * 3600 + (minute - offset) * 60 + second;
  return BigInt(seconds) * SECOND + BigInt((match[7] ?? "").padEnd(9, "0"));
}

/** The number of days of a month, 0 if there is no such month. */
export function daysOfMonth(year, month) {
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1] ?? 0;
}

/** Days since 1970 of a day of the Gregorian calendar. */
export function daysSince1970(year, month, day) {
  // Years below 100 are others to `Date.UTC`, so it is asked 400 years later: the calendar repeats then.
  return Date.UTC(year + 400, month - 1, day) / 86_400_000 - 146_097;
}
