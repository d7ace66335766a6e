// A server on loopback that verifies every request, takes uploads in parts, and fails when it is told to.
//
// `/files/NAME` takes uploads, `/uploads/N` is one while it lasts; every other path is answered once the
// request is verified. Each entry of `faults` is the fault of one request with a payload:
//
//   cut      half of the payload is read, then the connection is reset
//   early    the head is answered by 503 and the connection closed, the payload unread
//   gone     the same with 410
//   503      the payload is read and dropped, the answer is 503
//   later N  the same with Retry-After: N
//   busy     the same with 409 and Retry-After, as while another request goes on
//   refused  the same with 403 and problem details
//   flip     a bit of the payload flips on the way
//   lost     the request is served, and its answer lost
//   partial  half of the part is kept, then the connection is closed
//   104      an interim answer comes first
//
// `before` is called with each request, and may give an answer in place of the server's: status, fields and
// body. `after` is called with each request and the fields of its answer, and may change them.

import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { claimedSha256, contentDigest } from "../src/structured-fields.js";
import { Refusal } from "../src/errors.js";
import { checkRequest } from "../src/verifying.js";
import { ACCESS_KEY, SECRET_KEY } from "./support.js";

const POLICY = { rules: { methods: ["PATCH"] }, maxPayloadWithoutDigest: 0 };
const SECRETS = (accessKey) => (accessKey === ACCESS_KEY ? [SECRET_KEY] : []);
const sha256 = (data) => createHash("sha256").update(data).digest();

export class ReferenceServer {
  faults = [];
  seen = [];
  refusals = [];
  signatures = new Set();
  uploads = new Map();
  files = new Map();
  otherOrigin = "";
  otherDigest;
  requests = [];
  before = () => undefined;
  after = () => {};

  /** How many requests of this method have come. */
  count(method) {
    return this.requests.filter((request) => request.method === method).length;
  }

  constructor({ takesParts = true, limits = "min-size=0" } = {}) {
    Object.assign(this, { takesParts, limits });
    this.server = createServer({ keepAliveTimeout: 1000 }, (request, response) =>
      this.serve(request, response).catch(() => request.socket.destroy()),
    );
  }

  /** Calls `use` while the server runs. */
  async run(use) {
    await once(this.server.listen(0, "127.0.0.1"), "listening");
    this.url = `http://127.0.0.1:${this.server.address().port}`;
    try {
      return await use(this);
    } finally {
      this.server.close();
      this.server.closeAllConnections();
    }
  }

  async serve(request, response) {
    const { method, url, rawHeaders } = request;
    const length = Number(request.headers["content-length"] ?? 0);
    const fault = length > 0 ? this.faults.shift() : undefined;
    this.seen.push({ method, url, length });
    const seen = { method, url, length, headers: request.headers, socket: request.socket };
    this.requests.push(seen);
    response.seen = seen;
    if (fault === "early") return this.fail(response, 503);
    if (fault === "gone") return this.fail(response, 410);
    const chunks = [];
    let received = 0;
    for await (const chunk of request) {
      chunks.push(chunk);
      received += chunk.length;
      if (fault === "cut" && received >= length / 2) return request.socket.resetAndDestroy();
    }
    const payload = Buffer.concat(chunks);
    const scripted = await this.before(seen);
    if (scripted) return this.answer(response, ...scripted);
    if (fault === "503") return this.answer(response, 503, { "retry-after": 0 });
    if (fault?.startsWith("later")) return this.answer(response, 503, { "retry-after": fault.slice(6) });
    if (fault === "busy") return this.answer(response, 409, { "retry-after": 0 });
    if (fault === "refused") {
      return this.answer(response, 403, { "content-type": "application/problem+json" }, '{"detail":"quota"}');
    }
    if (fault === "flip") payload[payload.length >> 1] ^= 4;
    const fields = Array.from({ length: rawHeaders.length / 2 }, (_, at) => rawHeaders.slice(2 * at, 2 * at + 2));
    try {
      checkRequest(method, url, fields, SECRETS, POLICY).update(payload).finish();
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
      this.refusals.push(refusal.message);
      return this.fail(response, refusal.status);
    }
    const signature = request.headers["dynata-signature"];
    if (this.signatures.has(signature)) {
      this.refusals.push("replayed"); // Section 10.
      return this.fail(response, 409);
    }
    this.signatures.add(signature);
    return this.route(request, response, payload, fault, fields);
  }

  route(request, response, payload, fault, fields) {
    const { method, url, headers } = request;
    if (url.startsWith("/moved")) return this.answer(response, 307, { location: "/elsewhere" });
    if (!/^\/(files|uploads)\//.test(url)) {
      return this.answer(response, 200, {}, JSON.stringify({ method, url, length: payload.length, fields }));
    }
    if (method === "OPTIONS") {
      return this.answer(response, 204, this.takesParts ? { "upload-limit": this.limits } : {});
    }
    let upload = this.uploads.get(url);
    if (url.startsWith("/files/")) {
      if (method === "PUT" || !this.takesParts) {
        this.files.set(url, payload);
        return this.answer(response, 201);
      }
      upload = { url, location: `/uploads/${this.uploads.size}`, pieces: [], length: 0, isComplete: false };
      this.uploads.set(upload.location, upload);
    }
    if (!upload) return this.answer(response, 404);
    if (method === "DELETE") {
      this.uploads.delete(url);
      return this.answer(response, 204);
    }
    if (method === "HEAD") return this.answerUpload(request, response, 204, upload);
    if (method === "PATCH" && Number(headers["upload-offset"]) !== upload.length) {
      return this.answerUpload(request, response, 409, upload);
    }
    return this.append(request, response, upload, payload, fault);
  }

  append(request, response, upload, payload, fault) {
    const { headers, method, socket } = request;
    const kept = fault === "partial" ? payload.subarray(0, payload.length >> 1) : payload;
    upload.pieces.push(kept);
    upload.length += kept.length;
    upload.isComplete = headers["upload-complete"] === "?1" && fault !== "partial";
    if (fault === "104") {
      const interim = `Upload-Offset: ${upload.length}\r\nUpload-Draft-Interop-Version: 8`;
      socket.write(`HTTP/1.1 104 Upload Resumption Supported\r\n${interim}\r\n\r\n`);
    }
    if (upload.isComplete) {
      const data = Buffer.concat(upload.pieces);
      const claimed = claimedSha256([headers["repr-digest"] ?? ""]);
      if (!claimed?.equals(sha256(data))) {
        this.uploads.delete(upload.location);
        return this.answer(response, 400, { "upload-complete": "?1" });
      }
      this.files.set(upload.url, data);
    }
    if (fault === "lost") return socket.resetAndDestroy();
    if (fault === "partial") return socket.end();
    return this.answerUpload(request, response, method === "POST" ? 201 : 204, upload);
  }

  answerUpload({ method }, response, status, upload) {
    const fields = {
      "upload-offset": upload.length,
      "upload-complete": upload.isComplete ? "?1" : "?0",
      "upload-limit": this.limits,
    };
    if (method === "POST") fields.location = this.otherOrigin + upload.location;
    if (upload.isComplete)
      fields["repr-digest"] = contentDigest(this.otherDigest ?? sha256(Buffer.concat(upload.pieces)));
    this.answer(response, status, fields);
  }

  answer(response, status, fields = {}, body = "") {
    fields = { ...fields };
    this.after(response.seen, fields);
    response.writeHead(status, fields).end(body);
  }

  fail(response, status) {
    this.answer(response, status, { connection: "close" });
  }
}
