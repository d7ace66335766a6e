"""The head of a frame, and the checks that need all of it: rules 7.9, 7.11 and 7.15 to 7.18, 7.25."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Iterable, NamedTuple, Sequence, Tuple, Union

from .errors import FrameError
from .request_line import HOST, Target, check_method, parse_target

TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]*")
_DIGITS = re.compile(rb"[0-9]+")

Text = Union[str, bytes]


class Field(NamedTuple):
    """A field: its value is trimmed, and unfolded in lenient reading.

    `raw` is what stands from `value_at` on, line ends and all. It and the offsets are for errors.
    """

    name: bytes
    value: bytes
    raw: bytes
    line_at: int = 0
    value_at: int = 0


@dataclass(frozen=True)
class Rules:
    """How a frame is read: section 7. `methods` are further methods, such as PATCH."""

    strict: bool = False
    methods: frozenset[bytes] = frozenset()
    max_head: int = 64 * 1024
    max_headers: int = 128


@dataclass(frozen=True)
class Head:
    """A head that has passed the checks. `length` is the number of its bytes, 0 if it came in parts."""

    method: bytes
    target: Target
    fields: Sequence[Field] = field(repr=False)
    content_length: int | None
    length: int

    def values(self, name: bytes) -> list[bytes]:
        """The values of all fields of this name, which is in lower case."""
        return [field.value for field in self.fields if field.name.lower() == name]


def check_head(method: bytes, target: Target, fields: Sequence[Field], length: int, strict: bool) -> Head:
    """Makes a head of its parts: step 2 of "The order of the checks", all but the first NUL."""
    by_name: dict[bytes, list[Field]] = {}
    for line in fields:
        by_name.setdefault(line.name.lower(), []).append(line)
    _check_host(by_name.get(b"host", []), target, length, strict)
    for line in by_name.get(b"transfer-encoding", []):
        raise FrameError("transfer-encoding", line.line_at, "Content-Length alone", "Transfer-Encoding")
    lengths = by_name.get(b"content-length", [])
    content_length = _content_length(method, lengths, strict)
    return Head(method, target, fields, content_length, length)


def _check_host(hosts: list[Field], target: Target, length: int, strict: bool) -> None:
    if len(hosts) > 1:
        raise FrameError("host", hosts[1].line_at, "one Host", "a second one")
    if strict and not hosts:
        raise FrameError("host", length, "a Host", "none")
    if strict and not HOST.fullmatch(hosts[0].value):
        raise FrameError("host", hosts[0].value_at, "a host, with or without a port", "another value")
    if target.authority is not None and hosts:
        if target.authority.lower() != hosts[0].value.lower():
            raise FrameError("authority", target.authority_at, "the value of Host", "another authority")


def _content_length(method: bytes, lines: list[Field], strict: bool) -> int | None:
    number: int | None = None
    for line in lines:
        if strict and method == b"CONNECT":
            raise _bad_length(line.line_at, "no Content-Length with CONNECT", "one")
        if strict and number is not None:
            raise _bad_length(line.line_at, "one Content-Length", "a second one")
        at = line.value_at
        for member in [line.value] if strict else line.raw.split(b","):
            digits = member.strip(b" \t\r\n")  # No value has a line end but where it is folded.
            # No number below 2^64 has more than 20 digits, leading zeros apart.
            significant = digits.lstrip(b"0") or b"0"
            if not _DIGITS.fullmatch(digits) or len(significant) > 20 or int(significant) >= 2**64:
                raise _bad_length(at, "a number below 2^64", "something else")
            if number is not None and int(significant) != number:
                raise _bad_length(at, "the same number again", "another one")
            number = int(significant)
            at += len(member) + 1
    return number


def _bad_length(at: int, expected: str, found: str) -> FrameError:
    return FrameError("content-length", at, expected, found)


def head_of_request(method: Text, target: Text, fields: Iterable[Tuple[Text, Text]], rules: Rules) -> Head:
    """The head of a request that an HTTP library has read or is about to send.

    `target` stands as in the request line. Section 7, "Requests that were read elsewhere": offsets are 0.
    """
    method, target = as_bytes(method), as_bytes(target)
    check_method(method, 0, rules.methods)
    parsed = parse_target(method, target, 0)
    if b"\0" in target:
        raise FrameError("request-line", 0, "no NUL in the target", "one")
    lines = []
    for name, value in fields:
        name, value = as_bytes(name), as_bytes(value).strip(b" \t")
        if not name or not TOKEN.fullmatch(name):
            raise FrameError("header-name", 0, "a token", "another name")
        if re.search(rb"[\0-\x08\x0a-\x1f\x7f]", value):
            raise FrameError("header-value", 0, "no control byte but tab", "one")
        lines.append(Field(name, value, value))
    head = check_head(method, parsed, lines, 0, strict=True)
    return Head(method, _without_offset(parsed), lines, head.content_length, 0)


def _without_offset(target: Target) -> Target:
    return Target(target.path, target.query, target.authority)


def as_bytes(text: Text) -> bytes:
    """Text as HTTP libraries send it: a character is a byte."""
    return text.encode("latin-1") if isinstance(text, str) else bytes(text)
