"""Verifies signed frames and requests: section 9, check by check in its order."""

from __future__ import annotations

import hmac
import re
import time
from dataclasses import dataclass
from typing import Callable, Iterable, Mapping, Sequence, Union

from .canonical import canonical_request
from .errors import FrameError, Refusal
from .frame import Bytes, HeadReader, Payload
from .head import Head, Rules, Text, head_of_request
from .key import DAY, NANOSECONDS, Credentials, SigningKey, is_date, several
from .signing import EMPTY_SHA256, FieldNames
from .structured_fields import claimed_sha256

# The live secrets of an access key: none if it is unknown or revoked.
Secrets = Union[Mapping[str, Sequence[str]], Callable[[str], Sequence[str]]]

_TIME = re.compile(
    rb"([0-9]{4})-([0-9]{2})-([0-9]{2})T([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9])"
    rb"(?:\.([0-9]{1,9}))?(?:Z|([+-])([01][0-9]|2[0-3]):([0-5][0-9]))"
)


@dataclass(frozen=True)
class Policy:
    """What a verifier asks for. Times are seconds; `age` None turns freshness off.

    `max_payload_without_digest=0` accepts no payload without a claimed hash.
    """

    skew: int = 900
    age: int | None = 900
    hosts: Iterable[str] = ()
    max_payload: int | None = None
    max_payload_without_digest: int | None = None
    rules: Rules = Rules(strict=True)
    names: FieldNames = FieldNames()

    def __post_init__(self) -> None:
        several("hosts", self.hosts)


@dataclass(frozen=True)
class Verified:
    """The proof that a frame passed every check: who signed it, and the hash of its payload."""

    access_key: str
    payload_sha256: bytes


class Verifier:
    """Takes one signed frame in chunks. The payload is proven when `finish` returns, not before."""

    def __init__(
        self, secrets: Secrets, policy: Policy = Policy(), clock: Callable[[], int] = time.time_ns
    ) -> None:
        self._secrets = secrets
        self._policy = policy
        self._clock = clock
        self._reader = HeadReader(policy.rules)
        self._pending: Pending | None = None
        self._refusal: Refusal | None = None

    def update(self, chunk: Bytes) -> None:
        """Reads the next bytes of the frame, and checks the head once it is whole."""
        if self._refusal:
            raise self._refusal
        try:
            if self._pending is None:
                payload_at = self._reader.update(chunk)
                if payload_at is None or self._reader.head is None:
                    return
                self._pending = check(self._reader.head, self._secrets, self._policy, self._clock())
                chunk = memoryview(chunk)[payload_at:]
            self._pending.update(chunk)
        except FrameError as error:
            self._refusal = Refusal("frame", error)
            raise self._refusal from None
        except Refusal as refusal:
            self._refusal = refusal
            raise

    def finish(self) -> Verified:
        """The proof, at the end of the frame."""
        if self._refusal:
            raise self._refusal
        if self._pending is None:
            raise Refusal("frame", self._reader.finish())
        return self._pending.finish()


def check_request(
    method: Text,
    target: Text,
    fields: Iterable[tuple[Text, Text]],
    secrets: Secrets,
    policy: Policy = Policy(),
    now: int | None = None,
) -> Pending:
    """Checks the head of a request that an HTTP library has read. Feed its payload to the result."""
    try:
        head = head_of_request(method, target, fields, policy.rules)
    except FrameError as error:
        raise Refusal("frame", error) from None
    return check(head, secrets, policy, time.time_ns() if now is None else now)


def check(head: Head, secrets: Secrets, policy: Policy, now: int) -> Pending:
    """All checks of a head. `now` is nanoseconds since 1970."""
    access_key, date, signature = _dynata_fields(head, policy.names)
    skew = policy.skew * NANOSECONDS
    begin = _days(int(date[:4]), int(date[4:6]), int(date[6:])) * DAY
    if begin > now + skew or begin + DAY <= now - skew:
        raise Refusal("date")
    if policy.age is not None and not _is_fresh(head, now, policy.age * NANOSECONDS, skew):
        raise Refusal("stale")
    hosts = [host.lower().encode() for host in policy.hosts]
    if hosts and head.values(b"host")[0].lower() not in hosts:
        raise Refusal("host")
    live = _live_secrets(secrets, access_key)
    if not live:
        raise Refusal("unknown-key")
    length = head.content_length or 0
    if policy.max_payload is not None and length > policy.max_payload:
        raise Refusal("too-large")
    claimed = claimed_sha256(head.values(b"content-digest"))
    without_digest = policy.max_payload_without_digest
    if claimed is None and without_digest is not None and length > without_digest:
        raise Refusal("digest-required")
    keys = [SigningKey(credentials, date.decode()) for credentials in live]
    pending = Pending(head, keys, signature, claimed, policy.names.signature.lower().encode())
    if pending.is_head_proven:
        pending.check_signature(EMPTY_SHA256 if claimed is None else claimed)
    return pending


def _dynata_fields(head: Head, names: FieldNames) -> list[bytes]:
    """Access key, date and signature."""
    values = [head.values(name.lower().encode()) for name in names.all()]
    if not all(values):
        raise Refusal("missing-field")
    if any(len(lines) > 1 for lines in values):
        raise Refusal("repeated-field")
    access_key, date, signature = (lines[0] for lines in values)
    is_signature = re.fullmatch(rb"[0-9a-f]{64}", signature)
    if not access_key or not is_date(date.decode("latin-1")) or not is_signature:
        raise Refusal("malformed-field")
    return [access_key, date, signature]


def _live_secrets(secrets: Secrets, access_key: bytes) -> list[Credentials]:
    try:
        text = access_key.decode()
    except UnicodeDecodeError:  # Keys are UTF-8 text.
        return []
    live = secrets(text) if callable(secrets) else secrets.get(text, ())
    return [Credentials(text, secret) for secret in several("the live secrets of an access key", live)]


def _is_fresh(head: Head, now: int, age: int, skew: int) -> bool:
    lines = head.values(b"timestamp")
    signed_at = parse_time(lines[0]) if len(lines) == 1 else None
    return signed_at is not None and now - age <= signed_at <= now + skew


class Pending:
    """A head that passed its checks, and its payload on the way.

    Until `is_head_proven`, method, target and fields are as untrusted as the payload. That is proven
    when `finish` returns.
    """

    def __init__(
        self, head: Head, keys: list[SigningKey], signature: bytes, claimed: bytes | None, left_out: bytes
    ) -> None:
        self.head = head
        self.is_head_proven = claimed is not None or not head.content_length
        self._keys = keys
        self._signature = signature
        self._claimed = claimed
        self._left_out = left_out
        self._payload = Payload(head, strict=True)

    def check_signature(self, payload_sha256: bytes) -> None:
        """Compares the signature, in constant time, with that of each live secret."""
        canonical = canonical_request(self.head, payload_sha256, self._left_out)
        signatures = [key.sign(canonical).encode() for key in self._keys]
        if not any([hmac.compare_digest(each, self._signature) for each in signatures]):
            raise Refusal("signature")

    def update(self, data: Bytes) -> None:
        """Hashes the next bytes of the payload."""
        try:
            self._payload.update(data)
        except FrameError as error:
            raise Refusal("frame", error) from None

    def finish(self) -> Verified:
        """The proof, at the end of the payload."""
        try:
            sha256 = self._payload.finish()
        except FrameError as error:
            raise Refusal("frame", error) from None
        if not self.is_head_proven:
            self.check_signature(sha256)
        if self._claimed not in (None, sha256):
            raise Refusal("digest")
        return Verified(self._keys[0].access_key, sha256)


def parse_time(text: bytes) -> int | None:
    """Nanoseconds since 1970 of a time as section 9 writes it, or None."""
    match = _TIME.fullmatch(text)
    if not match:
        return None
    fraction, sign = match[7] or b"", match[8]
    year, month, day, hour, minute, second = (int(match[i]) for i in range(1, 7))
    if not 1 <= month <= 12 or not 1 <= day <= _days_of_month(year, month):
        return None
    minutes = int(match[9]) * 60 + int(match[10]) if sign else 0
    offset = -minutes if sign == b"-" else minutes
    seconds = _days(year, month, day) * 86_400 + hour * 3600 + (minute - offset) * 60 + second
    return seconds * NANOSECONDS + int(fraction.ljust(9, b"0"))


def _days_of_month(year: int, month: int) -> int:
    is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return [31, 29 if is_leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]


def _days(year: int, month: int, day: int) -> int:
    """Days since 1970 of a day of the Gregorian calendar. `datetime` has no year 0."""
    before = sum(_days_of_month(year, earlier) for earlier in range(1, month))
    leap_years = (year + 3) // 4 - (year + 99) // 100 + (year + 399) // 400
    return year * 365 + leap_years + before + day - 1 - 719_528
