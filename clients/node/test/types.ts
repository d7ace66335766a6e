// What the declarations allow, and what they do not. Only compiled.

import { createReadStream } from "node:fs";
import * as framesign from "framesign";
import {
  Credentials,
  FrameError,
  Refusal,
  RequestSigner,
  Verifier,
  checkRequest,
  sign,
  signedFetch,
  UploadError,
  upload,
} from "framesign";

const text: string = sign("access", "secret", Buffer.from("GET / HTTP/1.1\r\n\r\n"), "20230801");
const signer = new RequestSigner(new Credentials("access", "secret"), { methods: ["PATCH"], nonce: false });
const fetch = signedFetch(signer, { viaProxy: true });
const answer: Response = await fetch("http://localhost/", {
  method: "PUT",
  body: createReadStream("x"),
  sha256: Buffer.alloc(32),
  length: 5,
});
const uploaded = await upload(createReadStream("x"), new URL("http://localhost/files/x"), {
  signer,
  state: "x.upload",
  retryFor: 60_000,
});
const confirmed: boolean = uploaded.isConfirmed;

const added = signer.sign("GET", "/", new Headers({ host: "test.com" }), Buffer.alloc(32));
signer.sign("GET", "/", [["host", "test.com"]], Buffer.alloc(32), added);
try {
  const pending = checkRequest("GET", "/", added, (accessKey) => [accessKey], { age: null });
  pending.update("hello").finish().accessKey.toUpperCase();
  new Verifier(
    () => undefined,
    {},
    () => 0n,
  )
    .update(new Uint8Array(1))
    .finish();
} catch (error) {
  if (error instanceof Refusal) console.log(error.reason, error.status, error.error?.offset);
  if (error instanceof FrameError) console.log(error.kind);
  if (error instanceof UploadError && error.canBeResumed) console.log(error.status);
}
const length: bigint | undefined = new framesign.FrameHasher({ strict: true }).head?.contentLength;
console.log(text, answer.status, confirmed, length);

// @ts-expect-error: a verifier is strict.
new Verifier(() => [], { rules: { strict: false } });
// @ts-expect-error: an upload needs a signer.
await upload("x", "http://localhost/", {});
// @ts-expect-error: keys come from credentials.
new framesign.SigningKey("20230801", "key");
