"""Uploads in signed parts that resume: section 11, and the draft "Resumable Uploads for HTTP".

    OPTIONS url      does the server take parts? ── no ──► one signed PUT of the whole
    POST url         Upload-Complete: ?0, no bytes ──► Location
    PATCH location   Upload-Offset, Upload-Complete: ?0, a part
    PATCH location   Upload-Offset, Upload-Complete: ?1, Repr-Digest, the last part ──► Repr-Digest
      after a break: HEAD location ──► Upload-Offset; what the server lacks of the part is sent again

A source is read once; its length need not be known. docs/uploads.md says what is done about failures.
"""

from __future__ import annotations

import logging
import os
import ssl
from contextlib import closing
from dataclasses import dataclass, replace
from typing import BinaryIO, Callable, Mapping

from .answer import Answer, Limits
from .connection import Broken, SignedConnection
from .errors import SourceError, UploadError
from .part_size import max_append_size, part_size
from .retries import Attempts, Retries
from .signing import RequestSigner, content_digest
from .source import Part, Source
from .upload_state import UploadState

__all__ = ["PART_SIZE", "Uploaded", "UploadError", "Uploader"]

PART_SIZE = 16 * 1024 * 1024

_FIELDS = {"Upload-Draft-Interop-Version": "8"}


@dataclass(frozen=True)
class Uploaded:
    """A complete upload. `sha256` is hexadecimal; `is_confirmed` if the server named the same hash."""

    url: str
    length: int
    sha256: str
    is_confirmed: bool
    in_parts: bool


@dataclass(frozen=True)
class Uploader:
    """How uploads are made. Times are seconds, sizes bytes.

    A request that fails is sent `retries` times more, and one that is refused `damaged_retries` times,
    within `retry_for` of the first failure, with pauses of up to `longest_pause` or what the server asks
    for. It has failed if nothing of it is taken for `timeout`. `notify` is told what goes otherwise than
    planned.
    """

    signer: RequestSigner
    part_size: int = PART_SIZE
    retries: int = 20
    damaged_retries: int = 3
    longest_pause: float = 30
    retry_for: float = 300
    timeout: float = 60
    context: ssl.SSLContext | None = None
    notify: Callable[[str], object] = logging.getLogger(__name__).warning

    def upload(
        self,
        source: BinaryIO,
        url: str,
        fields: Mapping[str, str] = {},
        state: str | os.PathLike[str] | None = None,
    ) -> Uploaded:
        """Sends what `source` holds from its position on. `fields` go with the first request.

        `state` is a file that says where the upload is while it lasts. Called again with it, after the
        process was killed, and with the same source at the same position, the upload goes on.
        """
        signer = replace(self.signer, methods=[*self.signer.methods, "PATCH"], content_digest=True)
        with closing(SignedConnection(signer, url, self.timeout, self.context)) as connection:
            return _Upload(self, connection, Source(source), url, fields, state).run()


class _Upload:
    def __init__(
        self,
        uploader: Uploader,
        connection: SignedConnection,
        source: Source,
        url: str,
        fields: Mapping[str, str],
        state: str | os.PathLike[str] | None,
    ) -> None:
        self._connection = connection
        self._source = source
        self._url = url
        self._fields = fields
        self._part_size = uploader.part_size
        self._notify = uploader.notify
        self._retries = Retries(
            uploader.retries,
            uploader.damaged_retries,
            uploader.longest_pause,
            uploader.retry_for,
            uploader.notify,
        )
        self._state = UploadState(state, url, uploader.signer.credentials.access_key, source.stamp)
        self._location = ""
        self._offset = 0  # So much the server has.
        self._limits = Limits()
        self._attempts = Attempts(self._retries)
        self._is_accepted = False  # Whether the server has accepted a request with this key.

    def run(self) -> Uploaded:
        location = self._state.load()
        try:
            final = self._resume(location) if location is not None else None
            if final is None and not self._location:
                if not self._begin():
                    return self._put()
            return self._complete(final or self._send_all(), self._source.sha256(), in_parts=True)
        except UploadError as error:
            if not error.can_be_resumed:
                self._state.remove()
            raise

    def _complete(self, final: Answer, sha256: bytes, in_parts: bool) -> Uploaded:
        """Compares the hash of the whole with the one that the server names."""
        named = final.repr_sha256
        if named not in (None, sha256):
            raise UploadError(
                "the server names another hash in Repr-Digest: do not use what it has", can_be_resumed=False
            )
        if named is None:
            self._notify(
                f"the server named no hash of the whole: compare {sha256.hex()} with that of what it has"
            )
        self._state.remove()
        return Uploaded(self._url, self._offset, sha256.hex(), named is not None, in_parts)

    # How an upload begins

    def _begin(self) -> bool:
        """Creates an upload without bytes. False if the server takes no parts."""
        options = self._discover()
        if options.status == 401:
            _require_success("OPTIONS", options)
        if not options.is_success or not options.takes_parts:
            return False
        self._require_fit()
        length = self._source.length
        known = {} if length is None else {"Upload-Length": str(length)}
        fields = {**self._fields, **_FIELDS, "Upload-Complete": "?0", **known}
        answer = self._request(lambda: self._connection.send("POST", self._url, fields, length=0))
        _require_success("POST", answer)
        location = answer.fields["Location"]
        if location is None:
            raise UploadError("the server does not say where the upload is: its answer has no Location")
        self._location = self._connection.resolve(self._url, location)
        self._adopt_limits(answer)
        self._state.save(self._location, self._notify)
        self._attempts = Attempts(self._retries)
        return True

    def _discover(self) -> Answer:
        """Asks whether the server takes parts, and for its limits. A refusal counts if it comes twice."""
        answer = self._request(lambda: self._connection.send("OPTIONS", self._url, _FIELDS))
        # Whoever answers need not have looked at the signature.
        self._is_accepted, self._attempts = False, Attempts(self._retries)
        if answer.is_success:
            self._adopt_limits(answer)
        return answer

    def _require_fit(self) -> None:
        """Raises an UploadError if the source cannot be sent within the limits."""
        length, most = self._source.length, self._limits.max_size
        if length is not None and most is not None and length > most:
            raise UploadError(f"the source has {length} bytes, and the server takes {most}: send less")
        part_size(self._part_size, self._limits, length, 0)

    def _resume(self, location: str) -> Answer | None:
        """Goes on with the upload that the state names. Returns the final answer if it is complete."""
        self._location = self._connection.resolve(self._url, location)
        self._discover()  # It tells the limits and no more: HEAD tells whether the upload is gone.
        self._require_fit()
        length = self._source.length
        try:
            answer = self._ask_offset(0, length)
        except UploadError as error:
            if error.status not in (404, 410) or error.can_be_resumed:
                raise
            self._notify("the server does not know the upload any more: it begins anew")
            self._state.remove()
            self._location, self._attempts = "", Attempts(self._retries)
            return None
        self._attempts = Attempts(self._retries)
        self._source.skip(self._offset)
        if not answer.is_complete:
            return None
        if not self._source.is_at_end():
            raise _complete_early()
        return answer

    def _put(self) -> Uploaded:
        """Sends the whole by one request. How long a stream is nobody knows: it must fit into one part."""
        self._notify("the server takes no parts: the whole is sent by one PUT")
        length = self._source.length
        part = self._source.next_part(self._part_size if length is None else length)
        if part.whole is None:
            raise UploadError(
                "the server takes no parts, and the stream is longer than one: send a file or raise part_size"
            )
        try:
            answer = self._request(lambda: self._send("PUT", self._url, self._fields, part))
            _require_success("PUT", answer)
        except UploadError:
            self._source.require_unchanged()
            raise
        self._offset = part.end
        return self._complete(answer, part.whole, in_parts=False)

    # Parts

    def _send_all(self) -> Answer:
        """Sends what is still to be read. An upload that nobody can go on with is cancelled."""
        try:
            while True:
                size = part_size(self._part_size, self._limits, self._source.length, self._offset)
                part = self._source.next_part(size)
                answer = self._send_part(part)
                if part.whole is not None:
                    return answer
        except SourceError as error:
            if self._source.length is None or not error.can_be_resumed:
                error.can_be_resumed = False
                self._cancel()
            raise

    def _send_part(self, part: Part) -> Answer:
        """Sends a part until the server has all of it. Returns the last answer."""
        while True:
            before = self._offset
            rest = part.rest(before, max_append_size(self._limits, part.end - before))
            answer = self._append(rest)
            if answer is None:
                answer = self._ask_offset(part.begin, part.end)
                if answer.is_complete and (part.whole is None or self._offset < part.end):
                    raise _complete_early()
                is_sent = answer.is_complete or part.whole is None
            else:
                self._offset, is_sent = rest.end, True
            if self._offset > before:
                self._attempts = Attempts(self._retries)
            if self._offset == part.end and is_sent:
                return answer

    def _append(self, part: Part) -> Answer | None:
        """Sends a part once. None, after a pause, if the server is to be asked how much of it it has."""
        fields = {
            **_FIELDS,
            "Content-Type": "application/partial-upload",
            "Upload-Offset": str(part.begin),
            "Upload-Complete": "?0" if part.whole is None else "?1",
        }
        if part.whole is not None:
            fields["Repr-Digest"] = content_digest(part.whole)
        answer = self._attempts.send(
            lambda: self._send("PATCH", self._location, fields, part), self._is_accepted
        )
        if answer is not None and answer.is_success and _is_of(answer, part):
            return answer
        # The bytes of a file that changed are not those that were signed.
        self._source.require_unchanged()
        if answer is None:
            return None
        if answer.is_success:
            self._attempts.pause("the server has another part than was sent")
            return None
        _require_success("PATCH", answer)
        return None

    def _send(self, method: str, url: str, fields: Mapping[str, str], part: Part) -> Answer:
        answer = self._connection.send(method, url, fields, part.pieces(), part.length, part.sha256)
        if answer.status == 413:
            self._adopt_limits(answer)
        return answer

    def _ask_offset(self, least: int, most: int | None) -> Answer:
        """Asks how many bytes the server has."""
        answer = self._request(lambda: self._connection.send("HEAD", self._location, _FIELDS))
        if answer.status in (404, 410):
            raise UploadError(
                "the server does not know the upload any more: begin anew",
                answer.status,
                can_be_resumed=False,
            )
        _require_success("HEAD", answer)
        if answer.offset is None:
            raise UploadError("the server does not say in Upload-Offset what it has")
        if answer.offset < least or (most is not None and answer.offset > most):
            raise UploadError("the server has another number of bytes than were sent")
        self._offset = answer.offset
        return answer

    def _cancel(self) -> None:
        """Tries to cancel the upload. If that fails, the server deletes it in time."""
        try:
            self._connection.send("DELETE", self._location, _FIELDS)
        except Broken:
            pass

    # Requests

    def _request(self, send: Callable[[], Answer]) -> Answer:
        """Sends a request until it has an answer that stays."""
        while (answer := self._attempts.send(send, self._is_accepted)) is None:
            pass
        self._is_accepted |= answer.is_success
        return answer

    def _adopt_limits(self, answer: Answer) -> None:
        self._limits = answer.limits or self._limits


def _is_of(answer: Answer, part: Part) -> bool:
    """Whether a success says of a part that the server has it, and whether it is the last.

    Whoever stands between may answer 200 to everything, such as the portal of a network that asks for a
    login. So an answer counts only if it has a field that such an answer has not.
    """
    is_last = part.whole is not None
    has_end = answer.offset is not None
    has_kind = answer.is_complete is not None
    is_said = has_kind or (answer.repr_sha256 == part.whole if is_last else has_end)
    return is_said and answer.offset in (None, part.end) and answer.is_complete in (None, is_last)


def _complete_early() -> UploadError:
    return UploadError(
        "the server says that the upload is complete early: do not use what it has, and begin anew",
        can_be_resumed=False,
    )


_ADVICE = {
    401: "check the keys, the clock and the URL",
    403: "ask for the right to upload there",
    404: "check the URL",
    405: "check the URL",
    409: "choose another name if this one is taken",
    413: "send less, or in larger or smaller parts",
}


def _require_success(method: str, answer: Answer) -> None:
    if not answer.is_success:
        advice = f": {_ADVICE[answer.status]}" if answer.status in _ADVICE else ""
        problem = f"the server refused {method} with {answer.problem}{advice}"
        raise UploadError(problem, answer.status, can_be_resumed=not answer.is_complete)
