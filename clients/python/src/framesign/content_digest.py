"""The hash that a head claims for its payload: a dictionary of RFC 8941, section 9."""

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
_MEMBER = re.compile(rf"(?P<key>{_KEY})(?:=(?::(?P<bytes>{_BASE64}):|{_ITEM}|{_INNER_LIST}))?{_PARAMETERS}")
_COMMA = re.compile(r"[ \t]*,[ \t]*")
_END = re.compile(r"[ \t]*\Z")


def claimed_sha256(lines: Sequence[bytes]) -> bytes | None:
    """The 32 bytes that the last member `sha-256` of all lines claims, or None."""
    text = b", ".join(lines).decode("latin-1").strip(" ")
    claimed: str | None = None
    at = 0
    while text:
        member = _MEMBER.match(text, at)
        if not member:
            return None
        if member["key"] == "sha-256":
            claimed = member["bytes"]
        if _END.match(text, member.end()):
            break
        comma = _COMMA.match(text, member.end())
        if not comma:
            return None
        at = comma.end()
    if claimed is None:
        return None
    claimed = claimed.rstrip("=")
    sha256 = base64.b64decode(claimed + "=" * (-len(claimed) % 4))
    return sha256 if len(sha256) == 32 else None
