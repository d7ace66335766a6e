"""Structured fields (RFC 9651), as far as they are read here; the hash that a head claims for its payload."""

from __future__ import annotations

import base64
import re
from typing import Sequence

_KEY = r"[a-z*][a-z0-9_.*-]*"
_BASE64 = r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}={0,2}|[A-Za-z0-9+/]{3}=?)?"
_ITEM = "|".join(
    [
        r"-?[0-9]{1,12}\.[0-9]{1,3}",  # decimal
        r"-?[0-9]{1,15}",  # integer
        r'"(?:[ !#-\[\]-~]|\\["\\])*"',  # string
        r"[A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]*",  # token
        f":{_BASE64}:",  # byte sequence
        r"\?[01]",  # boolean
    ]
)
_PARAMETERS = rf"(?:; *{_KEY}(?:=(?:{_ITEM}))?)*"
_INNER_LIST = rf"\( *(?:(?:{_ITEM}){_PARAMETERS}(?: +(?:{_ITEM}){_PARAMETERS})*)? *\)"
_MEMBER = re.compile(rf"(?P<key>{_KEY})(?:=(?P<value>{_ITEM}|{_INNER_LIST}))?{_PARAMETERS}")
_INTEGER = re.compile(rf"([0-9]{{1,15}}){_PARAMETERS}")
_BOOLEAN = re.compile(rf"\?([01]){_PARAMETERS}")
_COMMA = re.compile(r"[ \t]*,[ \t]*")
_END = re.compile(r"[ \t]*\Z")


def parse_integer(line: str) -> int | None:
    """A non-negative Integer, whose parameters are read over."""
    integer = _INTEGER.fullmatch(line.strip(" "))
    return int(integer[1]) if integer else None


def parse_boolean(line: str) -> bool | None:
    """A Boolean, whose parameters are read over."""
    boolean = _BOOLEAN.fullmatch(line.strip(" "))
    return boolean[1] == "1" if boolean else None


def parse_dictionary(lines: Sequence[bytes]) -> dict[str, str] | None:
    """The members of all lines: key and value as they stand, without parameters. None if malformed."""
    text = b", ".join(lines).decode("latin-1").strip(" ")
    members: dict[str, str] = {}
    at = 0
    while text:
        member = _MEMBER.match(text, at)
        if not member:
            return None
        members[member["key"]] = member["value"] or "?1"
        if _END.match(text, member.end()):
            break
        comma = _COMMA.match(text, member.end())
        if not comma:
            return None
        at = comma.end()
    return members


def claimed_sha256(lines: Sequence[bytes]) -> bytes | None:
    """The 32 bytes that the last member `sha-256` of all lines claims, or None."""
    claimed = (parse_dictionary(lines) or {}).get("sha-256", "")
    if not claimed.startswith(":"):
        return None
    encoded = claimed.strip(":").rstrip("=")
    sha256 = base64.b64decode(encoded + "=" * (-len(encoded) % 4))
    return sha256 if len(sha256) == 32 else None
