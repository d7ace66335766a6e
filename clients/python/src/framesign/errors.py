"""What can be wrong with a frame, a signed frame, a request that is to be signed, and an upload."""

from __future__ import annotations


class FrameError(ValueError):
    """A frame that breaks a rule of section 7.

    `kind` names the rule. `offset` is the number of bytes of the frame before the place that shows it.
    """

    def __init__(self, kind: str, offset: int, expected: str, found: str) -> None:
        super().__init__(f"{kind}: expected {expected}, found {found} at byte {offset}")
        self.kind = kind
        self.offset = offset
        self._arguments = kind, offset, expected, found

    def __reduce__(self) -> tuple[type[FrameError], tuple[str, int, str, str]]:
        """Pickled, such as by a pool of processes, with all that it was made of."""
        return type(self), self._arguments


class Refusal(ValueError):
    """A signed frame that does not pass a check of section 9.

    `reason` is for the log, `status` for the peer. The reason `frame` has the `FrameError` as `error`.
    """

    def __init__(self, reason: str, error: FrameError | None = None) -> None:
        super().__init__(f"{reason} {error}" if error else reason)
        self.reason = reason
        self.error = error

    @property
    def status(self) -> int:
        """The HTTP status of the answer, by the table at the end of section 9."""
        if self.error and self.error.kind == "transfer-encoding":
            return 411
        return {"frame": 400, "too-large": 413, "digest-required": 400}.get(self.reason, 401)


class SigningError(ValueError):
    """A mistake of the caller: keys, a date, or a request that cannot be signed as it is."""


class UploadError(Exception):
    """An upload that ended early. `status` is that of the answer that said so.

    `can_be_resumed` unless the upload, if it was created, is known to have ended: a full disk, a lower
    limit of a proxy, a wrong key and a wrong clock can be mended.
    """

    def __init__(self, message: str, status: int | None = None, can_be_resumed: bool = True) -> None:
        super().__init__(message)
        self.status = status
        self.can_be_resumed = can_be_resumed


class SourceError(UploadError):
    """A source that cannot be read, has changed, or cannot be cut into parts that the server takes."""
