"""Answers of a server, as far as an upload asks them."""

from __future__ import annotations

import email.utils
import json
import re
from dataclasses import dataclass, field
from datetime import timezone
from http.client import HTTPMessage

from .structured_fields import claimed_sha256, parse_boolean, parse_dictionary, parse_integer


@dataclass(frozen=True)
class Limits:
    """What Upload-Limit tells, where it tells it: bytes."""

    max_size: int | None = None
    min_append_size: int | None = None
    max_append_size: int | None = None


@dataclass(frozen=True)
class Answer:
    """A final answer. `body` is the beginning of its body, which can be problem details (RFC 9457)."""

    status: int
    fields: HTTPMessage = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    @property
    def offset(self) -> int | None:
        return parse_integer(self._item("Upload-Offset"))

    @property
    def is_complete(self) -> bool | None:
        """Upload-Complete, if it is there."""
        return parse_boolean(self._item("Upload-Complete"))

    @property
    def repr_sha256(self) -> bytes | None:
        """The hash of the whole that Repr-Digest claims."""
        return claimed_sha256(self._lines("Repr-Digest"))

    @property
    def limits(self) -> Limits | None:
        """None without the field, and if a member of it has another type than it should have."""
        lines = self._lines("Upload-Limit")
        members = parse_dictionary(lines) if lines else None
        if members is None:
            return None
        found = [members.get(name) for name in ("max-size", "min-append-size", "max-append-size")]
        if not all(value is None or re.fullmatch("[0-9]{1,15}", value) for value in found):
            return None
        return Limits(*(None if value is None else int(value) for value in found))

    @property
    def takes_parts(self) -> bool:
        """Whether the server says in its answer to OPTIONS that it takes parts."""
        types = ",".join(self.fields.get_all("Accept-Patch", [])).lower().split(",")
        is_patch = "application/partial-upload" in [kind.partition(";")[0].strip() for kind in types]
        return self.limits is not None or is_patch

    def retry_after(self, now: float) -> float | None:
        """The seconds to wait before the next attempt (RFC 9110 section 10.2.3)."""
        value = self.fields.get("Retry-After", "").strip()
        if re.fullmatch("[0-9]+", value):
            return float(value)
        try:
            time = email.utils.parsedate_to_datetime(value)
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
        return max(0, time.replace(tzinfo=time.tzinfo or timezone.utc).timestamp() - now)

    @property
    def problem(self) -> str:
        """The status, and what the server says of it in problem details, if that is a line of text."""
        is_problem = self.fields.get_content_type() == "application/problem+json"
        try:
            detail = json.loads(self.body)["detail"] if is_problem else None
        except (ValueError, LookupError, TypeError, RecursionError):
            detail = None
        is_shown = isinstance(detail, str) and detail.isprintable() and detail
        return f"{self.status} ({detail})" if is_shown else str(self.status)

    def _lines(self, name: str) -> list[bytes]:
        return [line.encode("latin-1", "replace") for line in self.fields.get_all(name, [])]

    def _item(self, name: str) -> str:
        """The line of a field. One that is on several lines counts as absent."""
        lines = self.fields.get_all(name, [])
        return lines[0] if len(lines) == 1 else ""
