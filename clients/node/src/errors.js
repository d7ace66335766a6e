// What can be wrong with a frame, a signed frame, a request that is to be signed, and an upload.

/**
 * A frame that breaks a rule of section 7. `kind` names the rule, `offset` is the number of bytes of the
 * frame before the place that shows it.
 */
export class FrameError extends Error {
  constructor(kind, offset, expected, found) {
    super(`${kind}: expected ${expected}, found ${found} at byte ${offset}`);
    this.name = "FrameError";
    this.kind = kind;
    this.offset = offset;
  }
}

const STATUSES = { frame: 400, "too-large": 413, "digest-required": 400 };

/**
 * A signed frame that does not pass a check of section 9. `reason` is for the log, `status` for the peer.
 * The reason `frame` has the FrameError as `error`.
 */
export class Refusal extends Error {
  constructor(reason, error) {
    super(error ? `${reason} ${error.message}` : reason);
    this.name = "Refusal";
    this.reason = reason;
    this.error = error;
    this.status = error?.kind === "transfer-encoding" ? 411 : (STATUSES[reason] ?? 401);
  }
}

/** A mistake of the caller: keys, a date, or a request that cannot be signed as it is. */
export class SigningError extends Error {
  name = "SigningError";
}

/**
 * An upload that ended early. `status` is that of the answer that said so. `canBeResumed` unless the upload,
 * if it was created, is known to have ended: a full disk, a lower limit of a proxy, a wrong key and a wrong
 * clock can be mended.
 */
export class UploadError extends Error {
  name = "UploadError";

  constructor(message, { status, canBeResumed = true, cause } = {}) {
    super(message, { cause });
    this.status = status;
    this.canBeResumed = canBeResumed;
  }
}

/** A source that cannot be read, has changed, or cannot be cut into parts that the server takes. */
export class SourceError extends UploadError {}
