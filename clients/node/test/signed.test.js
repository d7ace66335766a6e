// Every case of a signed frame, verified in every way of cutting it, and made where it says of what.

import assert from "node:assert/strict";
import { basename } from "node:path";
import { test } from "node:test";
import { createHash } from "node:crypto";
import { Credentials } from "../src/key.js";
import { RequestSigner } from "../src/signing.js";
import { parseTime } from "../src/time.js";
import { Verifier, checkRequest } from "../src/verifying.js";
import { cases, file, ways } from "./support.js";

/** The file `case` of a folder. */
function readCase(folder) {
  const read = { secrets: {}, policy: { hosts: [] } };
  for (const line of file(folder, "case").toString().trimEnd().split("\n")) {
    const [, word, rest] = /^([^ ]+) (.*)$/.exec(line);
    const [first, second] = rest.split(/ (.*)/);
    if (word === "now") Object.assign(read, { now: parseTime(rest), date: new Date(rest) });
    else if (word === "age") read.policy.age = rest === "off" ? null : Number(rest);
    else if (word === "host") read.policy.hosts.push(rest);
    else if (word === "max-payload") read.policy.maxPayload = Number(rest);
    else if (line === "digest required") read.policy.maxPayloadWithoutDigest = 0;
    else if (word === "revoked") read.secrets[rest] = [];
    else if (word === "result") read.result = rest;
    else if (word === "secret") {
      (read.secrets[first] ??= []).push(second);
      read.first ??= new Credentials(first, second);
    } else throw new Error(line);
  }
  return read;
}

function verify({ secrets, policy, now }, chunks) {
  const verifier = new Verifier(
    (accessKey) => secrets[accessKey],
    policy,
    () => now,
  );
  try {
    for (const chunk of chunks) verifier.update(chunk);
    verifier.finish();
    return "valid";
  } catch (refusal) {
    if (!refusal.reason) throw refusal;
    return refusal.error ? `frame ${refusal.error.kind}` : refusal.reason;
  }
}

const all = cases("signed");

for (const { folder, frame } of all) {
  test(`signed frame ${basename(folder)}`, () => {
    const read = readCase(folder);
    for (const chunks of ways(frame)) assert.equal(verify(read, chunks), read.result);
  });
}

const made = all.filter(({ folder }) => file(folder, "unsigned.http"));
assert(made.length > 5);

for (const { folder, frame } of made) {
  test(`made ${basename(folder)}`, () => {
    const read = readCase(folder);
    const [head, payload] = split(file(folder, "unsigned.http"));
    const [expectedHead] = split(frame);
    const sha256 = createHash("sha256").update(payload, "latin1").digest();
    const contentDigest = /^content-digest:/im.test(expectedHead);
    const signer = new RequestSigner(read.first, { contentDigest, nonce: false, clock: () => read.date });

    const ours = signer.signHead(Buffer.from(`${head}\r\n\r\n`, "latin1"), sha256);
    assert.equal(verify(read, [ours, Buffer.from(payload, "latin1")]), "valid");
    assert.deepEqual(lines(ours.toString("latin1")), lines(expectedHead));

    // The same by the fields of a request.
    const [requestLine, ...rest] = head.split("\r\n");
    const [method, target] = requestLine.split(" ");
    const fields = rest.map((line) => line.split(/:(.*)/s).slice(0, 2));
    const added = signer.sign(method, target, fields, sha256);
    const whole = [head, ...added.map(([name, value]) => `${name}: ${value}`)].join("\r\n");
    assert.deepEqual(lines(whole), lines(expectedHead));
    checkRequest(method, target, [...fields, ...added], (key) => read.secrets[key], read.policy, read.now);
  });
}

function split(frame) {
  return frame.toString("latin1").split(/\r\n\r\n(.*)/s);
}

/** The lines of a head in an order of their own, names and all in lower case. */
function lines(head) {
  return head.toLowerCase().split("\r\n").filter(Boolean).sort();
}

test("a secret is not as many secrets as it has letters", () => {
  const forged = new RequestSigner(new Credentials("access", "s"));
  const fields = [["Host", "test.com"]];
  const signed = [...fields, ...forged.sign("GET", "/admin", fields, createHash("sha256").digest())];
  assert.throws(() => checkRequest("GET", "/admin", signed, () => "secrets"), /TypeError.*put it in brackets/);
  assert.throws(() => checkRequest("GET", "/admin", signed, () => ["secrets"]), { reason: "signature" });
  assert.throws(() => checkRequest("GET", "/admin", signed, () => undefined), { reason: "unknown-key" });
});

test("a method that is not allowed is named", () => {
  const credentials = new Credentials("access", "secret");
  assert.throws(() => new RequestSigner(credentials, { methods: "PATCH" }), /TypeError.*expected an array/);
  const sha256 = createHash("sha256").digest();
  for (const [method, found] of [["PATCH", "`PATCH`"], ["A".repeat(30), "another one"], ["\xff", "another one"]]) {
    const sign = () => new RequestSigner(credentials).sign(method, "/", [["Host", "test.com"]], sha256);
    assert.throws(sign, (error) => error.message.includes(`\`methods\` allows, found ${found} at byte 0`));
  }
});

test("days are those of the calendar", () => {
  for (const year of ["0001", "0099", "1582", "1900", "1970", "2000", "2024", "2100", "9999"]) {
    for (const day of ["01-01", "02-28", "03-01", "12-31"]) {
      const text = `${year}-${day}T00:00:00Z`;
      assert.equal(parseTime(text), BigInt(Date.parse(text)) * 1_000_000n, text);
    }
  }
  assert.equal(parseTime("0000-02-29T00:00:00Z"), -719_469n * 86_400n * 10n ** 9n);
});
