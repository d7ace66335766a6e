// Uploads to a server whose answers are changed, and what came of them.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { RequestSigner, UploadError, upload } from "../src/index.js";
import { ReferenceServer } from "./reference-server.js";
import { CREDENTIALS } from "./support.js";

export const PART = 1000;
export const LENGTH = 2500;
export const LAST = 2000;

export const content = (length) =>
  createHash("shake128", { outputLength: Math.max(length, 1) })
    .digest()
    .subarray(0, length);

/** A stream that gives a few bytes at a time. */
export function stream(data) {
  const pieces = Array.from({ length: Math.ceil(data.length / 333) }, (_, at) =>
    data.subarray(at * 333, at * 333 + 333),
  );
  return Readable.from(pieces);
}

/** The same bytes as a source that is read at any place, and as one that is read once. */
export const SOURCES = [(data) => new Blob([data]), stream];

export const run = (use, options) => new ReferenceServer(options).run(use);

/** Uploads two parts and a half, or a source. Resolves to what came of it, and what was told. */
export async function send(server, { source = new Blob([content(LENGTH)]), ...options } = {}) {
  const told = [];
  const uploaded = await upload(source, server.target ?? `${server.url}/files/it`, {
    signer: new RequestSigner(CREDENTIALS),
    partSize: PART,
    longestPause: 10,
    notify: (text) => told.push(text),
    ...options,
  });
  return { ...uploaded, told };
}

/** The same in parts, and the file is right. */
export async function sendWhole(server, options) {
  const uploaded = await send(server, options);
  const file = server.files.get("/files/it");
  assert.equal(uploaded.sha256, createHash("sha256").update(file).digest("hex"));
  assert.equal(uploaded.length, file.length);
  assert(uploaded.inParts);
  return uploaded;
}

/** The error of an upload, which has these words. */
export async function errorOf(server, words, options) {
  const error = await send(server, options).then(assert.fail, (error) => error);
  assert(error instanceof UploadError, String(error));
  assert(error.message.includes(words), `${error.message}: expected ${words}`);
  assert(!server.files?.has("/files/it"));
  return error;
}

export const counts = (server, ...methods) => methods.map((method) => server.count(method));

/** Answers the first requests of a method otherwise. */
export function failing(method, times, ...answer) {
  return (request) => (request.method === method && times-- > 0 ? answer : undefined);
}

/** Changes the fields of the answers to a method: removes those that are undefined. */
export function changing(method, changes) {
  return (request, fields) => {
    if (request.method !== method) return;
    for (const [name, value] of Object.entries(changes)) {
      if (value === undefined) delete fields[name];
      else fields[name] = value;
    }
  };
}
