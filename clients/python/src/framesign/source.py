"""What is uploaded: a file, or a stream of any length, read once and cut into parts."""

from __future__ import annotations

import hashlib
import io
import os
import stat
from dataclasses import dataclass, replace
from typing import BinaryIO, Callable, Iterable, Iterator

from .errors import SourceError
from .frame import Bytes

# What is read and sent at a time: a longest silence is one of each piece.
PIECE = 256 * 1024


@dataclass(frozen=True)
class Part:
    """A part that was read and hashed. `whole` is the hash of the whole if it is the last one.

    `read` gives so many bytes from an offset of the whole on: those of a file are read again for each
    attempt, those of a stream are held.
    """

    begin: int
    length: int
    sha256: bytes
    whole: bytes | None
    read: Callable[[int, int], Iterable[Bytes]]

    @property
    def end(self) -> int:
        return self.begin + self.length

    def pieces(self) -> Iterable[Bytes]:
        return self.read(self.begin, self.length)

    def rest(self, offset: int, most: int) -> Part:
        """What is left of the part from `offset` on, at most so many bytes."""
        length = min(self.end - offset, most)
        if length == self.length:
            return self
        digest = hashlib.sha256()
        for piece in self.read(offset, length):
            digest.update(piece)
        whole = self.whole if offset + length == self.end else None
        return replace(self, begin=offset, length=length, sha256=digest.digest(), whole=whole)


class Source:
    """Reads a source once, from its position on. `length` is None of a stream.

    `stamp` tells a file from another one, and from itself after a change: inode, size and time.
    """

    def __init__(self, source: BinaryIO) -> None:
        if isinstance(source, io.TextIOBase) or not hasattr(source, "read"):
            found = "text" if isinstance(source, io.TextIOBase) else f"a {type(source).__name__}"
            raise SourceError(
                f'the source is {found}: give a file that was opened with "rb", or io.BytesIO',
                can_be_resumed=False,
            )
        self._source = source
        self._hash = hashlib.sha256()
        self._offset = 0
        status = _status(source)
        self.stamp = _stamp(status)
        self.length: int | None = None
        if _is_file(source, status):
            self._begin = source.tell()
            self.length = max(0, source.seek(0, os.SEEK_END) - self._begin)
            source.seek(self._begin)

    def next_part(self, size: int) -> Part:
        """Reads and hashes the next part, of `size` bytes unless it is the last one.

        A stream whose end is also that of a part has an empty last part: so a part that is full need
        not wait for the byte after it.
        """
        begin, held, digest = self._offset, [], hashlib.sha256()
        left = size if self.length is None else min(size, self.length - begin)
        for piece in self._pieces(left):
            digest.update(piece)
            if self.length is None:
                held.append(piece)
        self.require_unchanged()
        length = self._offset - begin
        is_last = length < size if self.length is None else self._offset == self.length
        read = self._read_again if self.length is not None else lambda *at: _cut(held, begin, *at)
        whole = self._hash.digest() if is_last else None
        return Part(begin, length, digest.digest(), whole, read)

    def skip(self, length: int) -> None:
        """Reads what the server has already, for the hash of the whole."""
        for _ in self._pieces(length):
            pass
        if self._offset < length:
            raise _changed()

    def is_at_end(self) -> bool:
        if self.length is not None:
            return self._offset == self.length
        return not self._read(1)

    def sha256(self) -> bytes:
        """The hash of all that was read."""
        return self._hash.digest()

    def require_unchanged(self) -> None:
        """Raises a SourceError if a file is not what it was when the upload began."""
        if self.stamp is not None and _stamp(_status(self._source)) != self.stamp:
            raise _changed()

    def _pieces(self, length: int) -> Iterator[bytes]:
        """The next bytes, fewer if a stream ends. They are hashed."""
        if self.length is not None:
            self._source.seek(self._begin + self._offset)
        while length > 0 and (piece := self._read(min(length, PIECE))):
            self._hash.update(piece)
            self._offset += len(piece)
            length -= len(piece)
            yield piece
        if length > 0 and self.length is not None:
            raise _changed()

    def _read_again(self, offset: int, length: int) -> Iterator[bytes]:
        self._source.seek(self._begin + offset)
        while length > 0:
            piece = self._read(min(length, PIECE))
            if not piece:
                raise _changed()
            length -= len(piece)
            yield piece

    def _read(self, length: int) -> bytes:
        """So many bytes, or fewer if the source ends."""
        chunks = []
        while length > 0:
            try:
                chunk: bytes | None = self._source.read(length)
            except Exception as error:
                raise SourceError(f"the source cannot be read: {error}") from error
            if chunk is None:
                raise SourceError("the source has no bytes yet: give one that waits for them")
            if not isinstance(chunk, (bytes, bytearray, memoryview)):
                raise SourceError(f"the source gives {type(chunk).__name__}: give one that gives bytes")
            if not chunk:
                break
            chunks.append(chunk)
            length -= len(chunk)
        return b"".join(chunks)


def _is_file(source: BinaryIO, status: os.stat_result | None) -> bool:
    """Whether each part can be read again. A device says nothing of its length, and what is decompressed
    can be sought in only by reading it from its beginning."""
    is_plain = isinstance(getattr(source, "raw", source), (io.FileIO, io.BytesIO))
    return is_plain and (status is None or stat.S_ISREG(status.st_mode))


def _cut(pieces: list[bytes], begin: int, offset: int, length: int) -> Iterator[Bytes]:
    """So many bytes of some pieces from an offset on; the first piece is at `begin`."""
    for piece in pieces:
        skipped = max(0, offset - begin)
        if view := memoryview(piece)[skipped : skipped + length]:
            yield view
        begin += len(piece)
        offset += len(view)
        length -= len(view)


def _status(source: BinaryIO) -> os.stat_result | None:
    try:
        return os.fstat(source.fileno())
    except (OSError, AttributeError):  # No file of the system.
        return None


def _stamp(status: os.stat_result | None) -> list[int] | None:
    if status is None or not stat.S_ISREG(status.st_mode):
        return None
    return [status.st_ino, status.st_size, status.st_mtime_ns]


def _changed() -> SourceError:
    return SourceError("the source has changed since the upload began: send it again", can_be_resumed=False)
