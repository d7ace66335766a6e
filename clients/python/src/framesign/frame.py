"""Reads a frame in chunks: the lines of its head, and the length of its payload (section 7).

    HeadReader ── lines, one after another ──► Head        Payload ── counted and hashed ──► SHA-256

A head is kept until it is whole, at most `Rules.max_head` bytes and one more. A payload is not kept.
"""

from __future__ import annotations

import hashlib
import re
from typing import Union

from . import request_line
from .errors import FrameError
from .head import TOKEN, Field, Head, Rules, check_head

Bytes = Union[bytes, bytearray, memoryview]

_LINE_END = re.compile(rb"[\r\n]")
_CONTROL = re.compile(rb"[\0-\x08\x0b\x0c\x0e-\x1f\x7f]")


class HeadReader:
    """Reads a head from chunks of any size. No byte is looked at twice."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._buffer = bytearray()  # From the beginning of the line that has no end yet.
        self._line_at = 0  # The offset of that line.
        self._searched = 0  # So much of the buffer has no line end.
        self._method = b""
        self._target: request_line.Target | None = None
        self._fields: list[Field] = []
        self._first_nul: FrameError | None = None
        self.head: Head | None = None

    def update(self, chunk: Bytes) -> int | None:
        """Reads a chunk. Returns where the payload begins in it once the head is whole, else None."""
        left = self._rules.max_head + 1 - self._line_at - len(self._buffer)
        self._buffer += chunk[:left]
        read = min(left, len(chunk))
        while True:
            line = self._next_line()
            if line is None:
                return None
            if self._read_line(line):
                return read - len(self._buffer)

    def finish(self) -> FrameError:
        """The error of an input that ends inside of the head."""
        at = self._line_at + len(self._buffer)
        return FrameError("truncated-head", at, "the empty line that ends a head", "the end of the input")

    def _next_line(self) -> bytes | None:
        """Takes a line with its end from the buffer: rules 7.1, 7.2 and 7.23."""
        limit = self._rules.max_head - self._line_at
        end = _LINE_END.search(self._buffer, self._searched, max(limit, 0))
        at = end.start() if end else min(len(self._buffer), max(limit, 0))
        is_cr = end is not None and self._buffer[at] == ord("\r")
        if end is None or (is_cr and at + 1 >= min(len(self._buffer), limit)):
            self._searched = at
            if len(self._buffer) > limit:
                raise FrameError("head-too-large", self._rules.max_head, "the end of the head", "the limit")
            return None
        if is_cr and self._buffer[at + 1] != ord("\n"):
            raise FrameError("bare-cr", self._line_at + at + 1, "LF after CR", "another byte")
        if not is_cr and self._rules.strict:
            raise FrameError("bare-lf", self._line_at + at, "CR LF at the end of a line", "LF alone")
        line = bytes(self._buffer[: at + 1 + is_cr])
        del self._buffer[: len(line)]
        self._searched = 0
        return line

    def _read_line(self, line: bytes) -> bool:
        """Reads a line with its end. Returns whether it ends the head."""
        at = self._line_at
        self._line_at += len(line)
        end = b"\r\n" if line.endswith(b"\r\n") else b"\n"
        line = line[: -len(end)]
        if self._target is None:
            if line:
                self._read_request_line(line, at)
        elif not line:
            self._end_head(self._target)
            return True
        elif line[:1] in (b" ", b"\t"):
            self._continue_field(line, at, end)
        else:
            self._read_field(line, at, end)
        return False

    def _read_request_line(self, line: bytes, at: int) -> None:
        strict = self._rules.strict
        method, target, target_at, version, version_at = request_line.split_request_line(line, at, strict)
        request_line.check_version(version, version_at, strict)
        request_line.check_method(method, at, self._rules.methods)
        parsed = request_line.parse_target(method, target, target_at)
        if strict:
            request_line.check_target_bytes(target, target_at, parsed)
        self._note_nul("request-line", target, target_at)
        self._method, self._target = method, parsed

    def _continue_field(self, line: bytes, at: int, end: bytes) -> None:
        """Rule 7.14."""
        if self._rules.strict or not self._fields:
            raise FrameError("obs-fold", at, "a field", "a continuation line")
        self._note_nul("header-value", line, at)
        last = self._fields[-1]
        value = (last.value + b" " + line.strip(b" \t")).strip(b" \t")
        self._fields[-1] = last._replace(value=value, raw=last.raw + line + end)

    def _read_field(self, line: bytes, at: int, end: bytes) -> None:
        if len(self._fields) == self._rules.max_headers:
            raise FrameError("too-many-headers", at, f"at most {len(self._fields)} fields", "more")
        name = TOKEN.match(line)
        colon = name.end() if name else 0
        if colon == 0 or line[colon : colon + 1] != b":":
            raise FrameError("header-name", at + colon, "a token and a colon", "something else")
        value = line[colon + 1 :].lstrip(b" \t")
        value_at = len(line) - len(value) if value else colon + 1
        control = _CONTROL.search(line, colon + 1) if self._rules.strict else None
        if control:
            at += control.start()
            raise FrameError("header-value", at, "no control byte but tab", "one")
        self._note_nul("header-value", value, at + value_at)
        raw = line[value_at:] + end
        self._fields.append(Field(line[:colon], value.rstrip(b" \t"), raw, at, at + value_at))

    def _note_nul(self, kind: str, text: bytes, at: int) -> None:
        """Keeps the first NUL of a head that is read leniently, for the end of the head: rule 7.11."""
        if self._first_nul is None and b"\0" in text:
            self._first_nul = FrameError(kind, at + text.index(b"\0"), "no NUL", "one")

    def _end_head(self, target: request_line.Target) -> None:
        if self._first_nul:
            raise self._first_nul
        self.head = check_head(self._method, target, self._fields, self._line_at, self._rules.strict)


class Payload:
    """Counts and hashes the payload of a head: rules 7.19 to 7.21."""

    def __init__(self, head: Head, strict: bool) -> None:
        self._head = head
        # Without a limit the payload of lenient reading goes on to the end of the input.
        self._limit = head.content_length
        if self._limit is None and strict:
            self._limit = 0
        self._length = 0
        self._hash = hashlib.sha256()

    def update(self, data: Bytes) -> None:
        """Counts and hashes the next bytes."""
        self._length += len(data)
        if self._limit is not None and self._length > self._limit:
            at = self._head.length + self._limit
            raise FrameError("trailing-bytes", at, "the end of the input", "more bytes")
        self._hash.update(data)

    def finish(self) -> bytes:
        """The SHA-256 of the whole payload, 32 bytes."""
        if self._limit is not None and self._length < self._limit:
            at = self._head.length + self._length
            raise FrameError("truncated-body", at, f"{self._limit} bytes of payload", "the end of the input")
        return self._hash.digest()
