"""The request line and the four forms of its target: section 4, rules 7.4 to 7.8 and 7.11."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .errors import FrameError

METHODS = frozenset({b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"CONNECT", b"OPTIONS", b"TRACE"})

_IP_LITERAL = rb"\[[0-9A-Fa-f:.]+\]"
_HOST_PORT = re.compile(rb"(?:" + _IP_LITERAL + rb"|[A-Za-z0-9._~%!$&'()*+,;=-]+):[0-9]+")
_ABSOLUTE = re.compile(rb"(https?://)([^/?]*)([^?]*)(\?)?(.*)", re.DOTALL | re.IGNORECASE)

_ESCAPE = rb"|%[0-9A-Fa-f]{2}"
_TARGET = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]" + _ESCAPE + rb")*")
_AUTHORITY = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+,;=:@\[\]-]" + _ESCAPE + rb")*")
# The value of Host, rule 7.15.
HOST = re.compile(
    rb"(?:(?:" + _IP_LITERAL + rb"|(?:[A-Za-z0-9._~!$&'()*+,;=-]" + _ESCAPE + rb")+)(?::[0-9]*)?)?"
)


@dataclass(frozen=True)
class Target:
    """The parts of a target. A form without path has an empty `path`."""

    path: bytes
    query: bytes = b""
    authority: bytes | None = None
    authority_at: int = 0


def split_request_line(line: bytes, at: int, strict: bool) -> tuple[bytes, bytes, int, bytes, int]:
    """Method, target and its offset, version and its offset of a line that begins at `at`: rule 7.4."""
    if not strict:
        line = line.rstrip(b" \t")
    first, last = line.find(b" "), line.rfind(b" ")
    if first <= 0 or first == last:
        raise _bad_request_line(at + max(first, 0), "too few parts")
    target = line[first + 1 : last]
    target_at = at + first + 1
    if not strict:
        target_at += len(target) - len(target.lstrip(b" \t"))
        target = target.strip(b" \t")
    if not target:
        raise _bad_request_line(at + first + 1, "no target")
    bad = re.search(rb"[ \0]", target) if strict else None
    if bad:
        raise _bad_request_line(target_at + bad.start(), "a space or NUL in the target")
    return line[:first], target, target_at, line[last + 1 :], at + last + 1


def _bad_request_line(at: int, found: str) -> FrameError:
    return FrameError("request-line", at, "method SP target SP version", found)


def check_version(version: bytes, at: int, strict: bool) -> None:
    """Rule 7.5."""
    if not re.fullmatch(rb"HTTP/[0-9]\.[0-9]", version):
        raise FrameError("request-line", at, "HTTP/, a digit, a point and a digit", "another version")
    if version != b"HTTP/1.1" and (strict or version != b"HTTP/1.0"):
        expected = "HTTP/1.1" if strict else "HTTP/1.1 or HTTP/1.0"
        raise FrameError("version", at, expected, version.decode())


def check_method(method: bytes, at: int, allowed: frozenset[bytes]) -> None:
    """Rules 7.6 and 7.7."""
    if method not in METHODS and method not in allowed:
        found = f"`{method.decode()}`" if re.fullmatch(rb"[!#-'*+.^_|~0-9A-Za-z-]{1,20}", method) else "another one"
        raise FrameError("method", at, "a method of RFC 7231 or one that `methods` allows", found)


def parse_target(method: bytes, target: bytes, at: int) -> Target:
    """The form of a target, in the order of section 4."""
    if method == b"CONNECT":
        if not _HOST_PORT.fullmatch(target):
            raise FrameError("target", at, "host:port", "another target of CONNECT")
        return Target(b"", authority=target, authority_at=at)
    if target.startswith(b"/"):
        path, _, query = target.partition(b"?")
        return Target(path, query)
    if target == b"*" and method == b"OPTIONS":
        return Target(b"")
    absolute = _ABSOLUTE.fullmatch(target)
    if not absolute:
        raise FrameError("target", at, "a path, or a URL with http or https", "another target")
    scheme, authority, path, question_mark, query = absolute.groups()
    if not authority:
        raise FrameError("target", at + len(scheme), "an authority", "none")
    asks_about_server = method == b"OPTIONS" and not path and not question_mark
    return Target(path or (b"" if asks_about_server else b"/"), query, authority, at + len(scheme))


def check_target_bytes(target: bytes, at: int, parsed: Target) -> None:
    """Rule 7.8 in strict reading."""
    end = 0
    if parsed.authority is not None:
        begin = parsed.authority_at - at
        end = begin + len(parsed.authority)
        found = _AUTHORITY.match(target, begin, end)
        if found and found.end() < end:
            raise _bad_target_byte(at + found.end())
    found = _TARGET.match(target, end)
    if found and found.end() < len(target):
        raise _bad_target_byte(at + found.end())


def _bad_target_byte(at: int) -> FrameError:
    return FrameError("target", at, "a byte of a URI", "another one, or an incomplete escape")
