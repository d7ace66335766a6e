"""Uploads in signed parts that resume: section 11, and the draft "Resumable Uploads for HTTP".

    OPTIONS url      does the answer have Upload-Limit? ── no ──► one signed PUT of the whole
    POST url         Upload-Complete: ?0, the first part ──► Location
    PATCH location   Upload-Offset, Upload-Complete: ?0, a further part
    PATCH location   Upload-Offset, Upload-Complete: ?1, Repr-Digest, the last part ──► Repr-Digest
      after a break: HEAD location ──► Upload-Offset; what the server lacks of the part is sent again

One part is in memory. A source is read once; its length need not be known.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import random
import shutil
import ssl
import stat
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Callable, Iterator, Mapping

from .connection import INTEROP_VERSION, Answer, Broken, SignedConnection, UploadError
from .signing import RequestSigner, content_digest, sha256_of

__all__ = ["PART_SIZE", "Uploaded", "UploadError", "Uploader"]

PART_SIZE = 16 * 1024 * 1024

_FIELDS = {"Upload-Draft-Interop-Version": INTEROP_VERSION}

# A bit that flipped on the way shows itself as one of these, and so does a wrong key.
_MAYBE_DAMAGED = (400, 401, 409)
_BUSY = (408, 425, 429)


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
    """How uploads are made.

    A request that fails is sent `retries` times more, one that is refused `damaged_retries` times, with
    pauses of up to `longest_pause` seconds. `notify` is told what goes otherwise than planned.
    """

    signer: RequestSigner
    part_size: int = PART_SIZE
    retries: int = 8
    damaged_retries: int = 3
    timeout: float = 60
    longest_pause: float = 30
    context: ssl.SSLContext | None = None
    notify: Callable[[str], object] = logging.getLogger(__name__).warning

    def upload(
        self,
        source: BinaryIO,
        url: str,
        fields: Mapping[str, str] = {},
        state: Path | None = None,
    ) -> Uploaded:
        """Sends what `source` holds from its position on. `fields` go with the first request.

        `state` is a file that says where the upload is while it lasts. Called again with it, after the
        process was killed, and with the same source at the same position, the upload goes on.
        """
        signer = replace(self.signer, methods=[*self.signer.methods, "PATCH"], content_digest=True)
        with closing(SignedConnection(signer, url, self.timeout, self.context)) as connection:
            return _Upload(self, connection, source, url, fields, state).run()


class _Upload:
    def __init__(
        self,
        uploader: Uploader,
        connection: SignedConnection,
        source: BinaryIO,
        url: str,
        fields: Mapping[str, str],
        state: Path | None,
    ) -> None:
        self._uploader = uploader
        self._connection = connection
        self._source = source
        self._url = url
        self._fields = fields
        self._state = _State(state, url, source)
        self._length = _length_of(source)
        self._location: str | None = None
        self._offset = 0  # So much the server has.
        self._hash = hashlib.sha256()  # Of all that was read of the source.
        self._part_size = uploader.part_size

    def run(self) -> Uploaded:
        options = self._request(lambda: self._connection.send("OPTIONS", self._url, _FIELDS))
        if options.status == 401:
            _require_success(options)
        if not options.is_success or "Upload-Limit" not in options.fields:
            self._uploader.notify(f"{self._url} takes no parts: the whole is sent by one PUT")
            return self._put()
        self._adopt_limits(options)
        final = self._resume()
        while final is None:
            final = self._send_part(*self._read_part())
        return self._complete(final, self._hash.digest(), in_parts=True)

    def _complete(self, final: Answer, sha256: bytes, in_parts: bool) -> Uploaded:
        """Compares the hash of the whole with the one that the server names."""
        if final.repr_sha256 not in (None, sha256):
            raise UploadError("the server has another content: its Repr-Digest is another hash")
        self._state.remove()
        is_confirmed = final.repr_sha256 is not None
        return Uploaded(self._url, self._offset, sha256.hex(), is_confirmed, in_parts)

    # Parts

    def _read_part(self) -> tuple[memoryview, bool]:
        """The next part, and whether it is the last one."""
        part = memoryview(bytearray(self._part_size))
        filled = 0
        while filled < len(part) and (chunk := self._read(len(part) - filled)):
            part[filled : filled + len(chunk)] = chunk
            filled += len(chunk)
        return part[:filled], filled < len(part) or self._offset + filled == self._length

    def _read(self, most: int) -> bytes:
        """The next bytes of the source, none at its end. They are hashed."""
        chunk: bytes | None = self._source.read(most)
        if chunk is None:
            raise UploadError("the source has no bytes yet: give one that waits for them")
        self._hash.update(chunk)
        return chunk

    def _send_part(self, part: memoryview, is_last: bool) -> Answer | None:
        """Sends a part until the server has all of it. Returns the final answer if it was the last."""
        begin, end = self._offset, self._offset + len(part)
        attempts = _Attempts(self._uploader)
        while True:
            before = self._offset
            left = part[before - begin :]
            answer = attempts.send(lambda: self._send_once(left, is_last))
            if answer is None:
                answer = self._find_offset(begin, end)
                if answer is None:
                    continue
            if answer.status == 413 and self._adopt_limits(answer) < len(left):
                return self._send_smaller(left, is_last)
            _require_success(answer)
            if answer.is_complete:
                return answer
            if self._offset == end and not is_last:
                return None
            if self._offset > before:
                attempts = _Attempts(self._uploader)

    def _send_smaller(self, part: memoryview, is_last: bool) -> Answer | None:
        """Sends a part in smaller ones, as the server has asked for."""
        answer, size = None, self._part_size
        for at in range(0, len(part), size):
            answer = self._send_part(part[at : at + size], is_last and at + size >= len(part))
        return answer

    def _send_once(self, part: memoryview, is_last: bool) -> Answer:
        """Creates the upload with the bytes of a part, or appends them."""
        fields = {**_FIELDS, "Upload-Complete": "?1" if is_last else "?0"}
        if is_last:
            fields["Repr-Digest"] = content_digest(self._hash.digest())
        if self._location is None:
            method, url = "POST", self._url
            fields = {**self._fields, **fields}
            if self._length is not None:
                fields["Upload-Length"] = str(self._length)
        else:
            method, url = "PATCH", self._location
            fields["Content-Type"] = "application/partial-upload"
            fields["Upload-Offset"] = str(self._offset)
        sha256 = hashlib.sha256(part).digest()
        answer = self._connection.send(method, url, fields, [part], len(part), sha256)
        if answer.is_success:
            if self._location is None and not answer.is_complete:
                self._adopt_location(answer.fields["Location"])
                self._adopt_limits(answer)
            self._offset += len(part)
        return answer

    def _adopt_location(self, location: str | None) -> None:
        if location is None:
            raise UploadError("the server does not say where the upload is: its answer has no Location")
        self._location = self._connection.resolve(self._url, location)
        self._state.save(self._location)

    def _adopt_limits(self, answer: Answer) -> int:
        """Keeps to what Upload-Limit says. Returns the size of parts."""
        size = max(self._part_size, answer.limit("min-append-size") or 1)
        self._part_size = min(size, answer.limit("max-append-size") or size)
        whole = answer.limit("max-size")
        if whole is not None and self._length is not None and self._length > whole:
            raise UploadError(f"the source has {self._length} bytes, and the server takes {whole}")
        return self._part_size

    # Breaks

    def _find_offset(self, begin: int, end: int) -> Answer | None:
        """Asks how much of a part the server has. None if the upload has not been created."""
        if self._location is None:
            if self._connection.interim_location is None:
                return None
            self._adopt_location(self._connection.interim_location)
        return self._ask_offset(begin, end)

    def _ask_offset(self, least: int, most: int) -> Answer:
        location = self._location or ""
        answer = self._request(lambda: self._connection.send("HEAD", location, _FIELDS))
        _require_success(answer)
        offset = answer.integer("Upload-Offset")
        if offset is None or not least <= offset <= most:
            raise UploadError(f"the server is at {offset}, and not from {least} to {most}: begin anew")
        self._offset = offset
        return answer

    def _request(self, send: Callable[[], Answer]) -> Answer:
        """Sends a request that can be sent again as it is until it has an answer that stays."""
        attempts = _Attempts(self._uploader)
        while True:
            answer = attempts.send(send)
            if answer is not None:
                return answer

    # Other ways to begin

    def _resume(self) -> Answer | None:
        """Goes on with the upload that the state names. Returns the final answer if it is complete."""
        location = self._state.load()
        if location is None:
            return None
        self._location = self._connection.resolve(self._url, location)
        try:
            answer = self._ask_offset(0, sys.maxsize if self._length is None else self._length)
        except UploadError as error:
            if error.status not in (404, 410):
                raise
            self._uploader.notify("the server does not know the upload any more: it begins anew")
            self._location = None
            return None
        self._skip(self._offset)
        if not answer.is_complete:
            return None
        if self._read(1):
            raise UploadError("the upload is complete, and the source has more bytes: begin anew")
        return answer

    def _skip(self, length: int) -> None:
        """Reads what the server has already, for the hash of the whole."""
        while length > 0:
            chunk = self._read(min(length, 1024 * 1024))
            if not chunk:
                raise UploadError("the server has more bytes than the source: give the same source")
            length -= len(chunk)

    def _put(self) -> Uploaded:
        """Sends the whole by one request. It is read twice, a pipe from a temporary file."""
        with tempfile.TemporaryFile() as spool:
            source = self._source
            if self._length is None:
                shutil.copyfileobj(source, spool)
                spool.seek(0)
                source = spool
            begin, self._offset = source.tell(), _length_of(source) or 0
            sha256 = sha256_of(source)

            def send() -> Answer:
                source.seek(begin)
                body = _pieces(source, self._offset)
                return self._connection.send("PUT", self._url, self._fields, body, self._offset, sha256)

            answer = self._request(send)
        _require_success(answer)
        return self._complete(answer, sha256, in_parts=False)


class _Attempts:
    """Attempts to send one request: pauses after one that failed, and gives up after too many."""

    def __init__(self, uploader: Uploader) -> None:
        self._uploader = uploader
        self._failures = 0
        self._refusals = 0

    def send(self, send: Callable[[], Answer]) -> Answer | None:
        """The answer, or None after a pause if another attempt may have another one."""
        try:
            answer = send()
        except Broken as error:
            if self._failures == self._uploader.retries:
                raise UploadError(f"the connection broke again and again: {error!r}") from error
            self._pause(f"the connection broke ({error!r})")
            return None
        if not self._is_passing(answer):
            return answer
        self._refusals += answer.status in _MAYBE_DAMAGED
        self._pause(f"the answer was {answer.problem}", answer.integer("Retry-After") or 0)
        return None

    def _is_passing(self, answer: Answer) -> bool:
        if answer.is_success or answer.is_complete or self._failures == self._uploader.retries:
            return False
        if answer.integer("Retry-After") is not None:
            return True
        if answer.status in _MAYBE_DAMAGED:
            return self._refusals < self._uploader.damaged_retries
        return answer.status in _BUSY or answer.status >= 500

    def _pause(self, reason: str, at_least: float = 0) -> None:
        """Waits for a random part of a time that doubles (full jitter)."""
        self._uploader.notify(f"{reason}: trying again")
        self._failures += 1
        longest = self._uploader.longest_pause
        pause = random.uniform(0, min(longest, 0.25 * 2**self._failures))
        time.sleep(max(pause, min(at_least, longest)))


class _State:
    """The file that says where an upload is while it lasts. It holds no secret."""

    def __init__(self, path: Path | None, url: str, source: BinaryIO) -> None:
        self._path = path
        self._of = {"url": url, "source": _identity(source)}

    def load(self) -> str | None:
        """The URL of the upload, if there is one of this source."""
        if self._path is None or not self._path.exists():
            return None
        state = json.loads(self._path.read_text())
        location = state.pop("location")
        if state != self._of:
            raise UploadError(f"{self._path} is of another URL or source: remove it to begin anew")
        return str(location)

    def save(self, location: str) -> None:
        """Replaces the file in one step."""
        if self._path is not None:
            draft = self._path.with_name(self._path.name + ".new")
            draft.write_text(json.dumps({**self._of, "location": location}))
            os.replace(draft, self._path)

    def remove(self) -> None:
        """Removes the file, since the upload is complete."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)


def _identity(source: BinaryIO) -> list[int] | None:
    """Size and time of change of a file, by which another one is told from it."""
    try:
        status = os.fstat(source.fileno())
    except OSError:  # No file of the system.
        return None
    return [status.st_size, status.st_mtime_ns] if stat.S_ISREG(status.st_mode) else None


def _length_of(source: BinaryIO) -> int | None:
    """The number of bytes from the position of a source on, if it can be known."""
    if not source.seekable():
        return None
    begin = source.tell()
    length = source.seek(0, os.SEEK_END) - begin
    source.seek(begin)
    return length


def _pieces(source: BinaryIO, length: int) -> Iterator[bytes]:
    while length > 0 and (piece := source.read(min(length, 1024 * 1024))):
        length -= len(piece)
        yield piece


def _require_success(answer: Answer) -> None:
    if answer.status == 401:
        raise UploadError("the server refuses the signature (401): check keys, clock and URL", 401)
    if not answer.is_success:
        raise UploadError(f"the server answered {answer.problem}", answer.status)
