// What a dictionary of RFC 8941 claims, and what is none.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { claimedSha256, contentDigest } from "../src/structured-fields.js";
import { FrameHasher, RequestSigner, SigningError } from "../src/index.js";
import { CREDENTIALS } from "./support.js";

const EMPTY = createHash("sha256").digest();
const SHA256 = createHash("sha256").update("hello").digest();
const OURS = contentDigest(SHA256);

const CLAIM = [
  OURS,
  `a=1, ${OURS}`,
  `a=( ), ${OURS}`,
  `a=( 1   "b";c;d=?0 );e, ${OURS}`,
  `a;b=1; c=-1.5, ${OURS};x=*t:/`,
  `a="\\" \\\\", ${OURS}`,
  `a=999999999999999,\t${OURS}`,
  `a=999999999999.999 , ${OURS}`,
  `sha-256=(1), ${OURS}`,
  `sha-256=:AAAA:, ${OURS}`,
  OURS.replace("=:", ":").replace("256:", "256=:"),
];

const BAD_MEMBERS =
  "A=1 a= a=@1 a=%1 a=(1 a=1) a=(1,2) a=(1)2 a=1. a=.5 a=1.2345 a=1234567890123456 a=1234567890123.1 a=--1 a=+1 a=?2 a=?" +
  ' a=" a="\\x" a=:AA=A: a=:A: a=:AA===: a=:A-A_: a=1;B a=1; a;b= =1 1=1 a=:AAAA a=\xe9';

const CLAIM_NOTHING = [
  "",
  `${OURS},`,
  `,${OURS}`,
  `${OURS} x`,
  `${OURS}, sha-256`,
  `${OURS}, sha-256=(:AAAA:)`,
  OURS.replace("=:", "=:AAAA"),
  ...BAD_MEMBERS.split(" ").map((bad) => `${bad}, ${OURS}`),
];

test("claims", () => {
  for (const text of CLAIM) assert.deepEqual(claimedSha256([text]), SHA256, text);
  assert.deepEqual(claimedSha256(["a=1", OURS]), SHA256);
});

test("claims nothing", () => {
  for (const text of CLAIM_NOTHING) assert.equal(claimedSha256([text]), undefined, text);
  assert.equal(claimedSha256([]), undefined);
  assert.equal(claimedSha256(["", OURS]), undefined);
});

test("case is that of ASCII", () => {
  const frame = Buffer.from("GET http://\xc4/ HTTP/1.1\r\nHost: \xe4\r\n\r\n", "latin1");
  assert.throws(() => new FrameHasher().update(frame), { kind: "authority", offset: 11 });
});

test("each signature has a nonce of its own", () => {
  const signer = new RequestSigner(CREDENTIALS, { clock: () => new Date(0) });
  const [first, second] = [1, 2].map(() => new Map(signer.sign("GET", "/", [["host", "test.com"]], EMPTY)));
  const differing = [...first.keys()].filter((name) => first.get(name) !== second.get(name));
  assert.deepEqual(differing, ["dynata-nonce", "dynata-signature"]);
});

test("the same request is signed again", () => {
  const signer = new RequestSigner(CREDENTIALS);
  const fields = [["host", "test.com"]];
  const added = signer.sign("GET", "/", fields, EMPTY);
  const again = signer.sign("GET", "/", [...fields, ...added], EMPTY, added);
  assert.equal(again.length, added.length);
  assert.throws(() => signer.sign("GET", "/", [...fields, ...added], EMPTY), SigningError);
});

test("a hash is 32 bytes", () => {
  const signer = new RequestSigner(CREDENTIALS);
  const fields = [["host", "test.com"]];
  assert.equal(signer.sign("GET", "/", fields, new Uint8Array(EMPTY)).length, 6);
  for (const sha256 of [EMPTY.toString("hex"), EMPTY.subarray(1)]) {
    assert.throws(() => signer.sign("GET", "/", fields, sha256), /32 bytes/);
    assert.throws(() => signer.signHead("GET / HTTP/1.1\r\nHost: test.com\r\n\r\n", sha256), /32 bytes/);
  }
});

test("a length that contradicts the payload is an error", () => {
  const signer = new RequestSigner(CREDENTIALS);
  for (const [length, sha256] of [
    [["content-length", 5], EMPTY],
    [["content-length", 0], SHA256],
    [["x", ""], SHA256],
  ]) {
    assert.throws(() => signer.sign("PUT", "/", [["host", "test.com"], length], sha256), SigningError);
  }
});
