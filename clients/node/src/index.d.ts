/// <reference types="node" />

/** Bytes of a frame. Text is UTF-8. */
export type Chunk = string | ArrayBuffer | ArrayBufferView;

/** Pairs of name and value, as they are sent. */
export type Fields = Iterable<readonly [string, string | number]>;

/** A frame that breaks a rule of section 7. */
export class FrameError extends Error {
  /** Names the rule. */
  readonly kind: string;
  /** The number of bytes of the frame before the place that shows it. */
  readonly offset: number;
}

/** A signed frame that does not pass a check of section 9. */
export class Refusal extends Error {
  /** For the log. */
  readonly reason: string;
  /** For the peer. */
  readonly status: number;
  /** What is wrong with the frame, if the reason is `frame`. */
  readonly error?: FrameError;
}

/** A mistake of the caller: keys, a date, or a request that cannot be signed as it is. */
export class SigningError extends Error {}

/** The two keys of section 1. */
export class Credentials {
  constructor(accessKey: string, secretKey: string);
  readonly accessKey: string;
  /** The key of one day, `YYYYMMDD`. */
  keyOf(date: string): SigningKey;
}

/** A derived key. Made by `Credentials.keyOf`. */
export class SigningKey {
  private constructor();
  readonly date: string;
  /** The signature of a canonical request, 64 lower-case hexadecimal digits. */
  sign(canonicalRequest: string): string;
}

/** The hash of a canonical request, 64 lower-case hexadecimal digits. */
export function stringToSign(canonicalRequest: string): string;

/** How a frame is read: section 7. */
export interface Rules {
  strict?: boolean;
  /** Further methods, such as PATCH. */
  methods?: readonly string[];
  maxHead?: number;
  maxHeaders?: number;
}

/** A head that has passed the checks. Its text is latin1: a character is a byte. */
export interface Head {
  readonly method: string;
  readonly target: { readonly path: string; readonly query: string; readonly authority?: string };
  readonly fields: readonly { readonly name: string; readonly value: string }[];
  readonly contentLength?: bigint;
  /** The values of the fields of this name, which is in lower case. */
  values(name: string): string[];
}

/** Takes a frame in chunks and gives its canonical request. An error is final. */
export class FrameHasher {
  constructor(rules?: Rules);
  /** The head, once it is whole. */
  readonly head?: Head;
  /** Throws a FrameError. */
  update(chunk: Chunk): this;
  /** The canonical request in latin1, at the end of the frame. Throws a FrameError. */
  finish(): string;
}

/** The signature of a frame that is read leniently, for today in UTC unless a date is given. */
export function sign(accessKey: string, secretKey: string, frame: Chunk, date?: string): string;

/** The names of the fields that a verifier looks for; both sides must use the same. */
export interface FieldNames {
  accessKey?: string;
  date?: string;
  signature?: string;
}

export interface SignerOptions {
  /** Further methods, such as PATCH. */
  methods?: readonly string[];
  /** Whether Content-Digest is added: it is unless this is false. */
  contentDigest?: boolean;
  /** Whether `dynata-nonce` is added: it is unless this is false. */
  nonce?: boolean;
  names?: FieldNames;
  clock?: () => Date;
}

/** Makes the fields that turn a request into a signed one. */
export class RequestSigner {
  constructor(credentials: Credentials, options?: SignerOptions);
  readonly accessKey: string;
  readonly methods: readonly string[];
  /** The same signer with other options. */
  with(options: SignerOptions): RequestSigner;
  /**
   * The fields to add to a request that is about to be sent. `fields` are all that are sent, Host and
   * Content-Length among them. To sign the same request again, give what this returned before as `added`.
   */
  sign(
    method: string,
    target: string,
    fields: Fields,
    payloadSha256: Uint8Array,
    added?: readonly (readonly [string, string])[],
  ): [string, string][];
  /** The signed head of a raw one, which ends in its empty line. */
  signHead(head: Chunk, payloadSha256: Uint8Array): Buffer;
}

/** The value of Content-Digest or Repr-Digest for a hash. */
export function contentDigest(sha256: Buffer): string;

/** The live secrets of an access key: none if it is unknown or revoked. */
export type Secrets = (accessKey: string) => readonly string[] | ReadonlySet<string> | undefined;

/** What a verifier asks for. Times are seconds. */
export interface Policy {
  skew?: number;
  /** `null` turns freshness off. */
  age?: number | null;
  hosts?: readonly string[];
  maxPayload?: number;
  /** 0 accepts no payload without a claimed hash. */
  maxPayloadWithoutDigest?: number;
  /** Verifiers are always strict. */
  rules?: Omit<Rules, "strict">;
  names?: FieldNames;
}

/** The proof that a frame passed every check. */
export interface Verified {
  readonly accessKey: string;
  readonly payloadSha256: Buffer;
}

/** Takes one signed frame in chunks. Its methods throw a Refusal, which is final. */
export class Verifier {
  /** `clock` gives nanoseconds since 1970. */
  constructor(secrets: Secrets, policy?: Policy, clock?: () => bigint);
  update(chunk: Chunk): this;
  /** The proof, at the end of the frame. */
  finish(): Verified;
}

/** A head that passed its checks, and its payload on the way. */
export interface Pending {
  readonly head: Head;
  /** Until this is true, method, target and fields are as untrusted as the payload. */
  readonly isHeadProven: boolean;
  update(data: Chunk): this;
  /** The proof, at the end of the payload. */
  finish(): Verified;
}

/** Checks the head of a request that an HTTP library has read. Throws a Refusal. */
export function checkRequest(
  method: string,
  target: string,
  fields: Fields,
  secrets: Secrets,
  policy?: Policy,
  now?: bigint,
): Pending;

export interface SignedRequestInit extends Omit<RequestInit, "body"> {
  body?: RequestInit["body"] | AsyncIterable<Uint8Array>;
  /** The hash of a body that is a stream. */
  sha256?: Uint8Array;
  /** The length of a body that is a stream. */
  length?: number;
}

/** A function that is called like fetch and signs each request. It follows no redirect. */
export function signedFetch(
  signer: RequestSigner,
  options?: { fetch?: typeof globalThis.fetch; viaProxy?: boolean },
): (input: string | URL | Request, init?: SignedRequestInit) => Promise<Response>;

export interface UploadOptions {
  signer: RequestSigner;
  /** 16 MiB unless set. */
  partSize?: number;
  /** Fields of the first request. */
  headers?: Record<string, string>;
  /** A file that says where the upload is while it lasts. With it an upload goes on after a kill. */
  state?: string;
  /** How often a request that fails is sent again without progress: 20 unless set. */
  retries?: number;
  /** How often a request that is refused is sent again: 3 unless set. */
  damagedRetries?: number;
  /** Milliseconds of a pause, unless the server asks for a longer one: 30,000 unless set. */
  longestPause?: number;
  /** Milliseconds from the first failure on: 300,000 unless set. */
  retryFor?: number;
  /** Milliseconds of silence: 60,000 unless set. The answer to a part may take three times as long. */
  timeout?: number;
  tls?: import("node:tls").ConnectionOptions;
  signal?: AbortSignal;
  /** Told what goes otherwise than planned. */
  notify?: (text: string) => void;
}

export interface Uploaded {
  url: string;
  length: number;
  /** Hexadecimal. */
  sha256: string;
  /** Whether the server named the same hash. */
  isConfirmed: boolean;
  inParts: boolean;
}

/** An upload that ended early. */
export class UploadError extends Error {
  /** That of the answer that said so. */
  readonly status?: number;
  /** Whether the upload, if it was created, can go on when `upload` is called with the same state. */
  readonly canBeResumed: boolean;
}

/** Sends a file by its path, a Blob, or a stream, in signed parts. */
export function upload(
  source: string | URL | Blob | AsyncIterable<Uint8Array>,
  url: string | URL,
  options: UploadOptions,
): Promise<Uploaded>;
