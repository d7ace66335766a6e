"""Keys, dates and the derivation of a signing key: sections 1 and 2."""

from __future__ import annotations

import datetime
import hashlib
import hmac
import re
from dataclasses import dataclass, field
from typing import Iterable

from .errors import SigningError

NANOSECONDS = 1_000_000_000
DAY = 86_400 * NANOSECONDS


@dataclass(frozen=True)
class Credentials:
    """The two keys of section 1. The secret is not shown by `repr`."""

    access_key: str
    secret_key: str = field(repr=False)

    def __post_init__(self) -> None:
        for what, key in (("access key", self.access_key), ("secret key", self.secret_key)):
            if not isinstance(key, str):
                raise TypeError(f"the {what} is expected to be a str, found {type(key).__name__}")
            if not key or "\0" in key:
                raise SigningError(f"the {what} is empty or holds a NUL: give another one")


class SigningKey:
    """The key of one access key and one day, `YYYYMMDD`."""

    def __init__(self, credentials: Credentials, date: str) -> None:
        if not is_date(date):
            raise SigningError("the date is not YYYYMMDD of an existing day: give another one")
        self.access_key = credentials.access_key
        self.date = date
        date_key = _hmac_hex(credentials.secret_key, date.encode())
        self._key = _hmac_hex(date_key, credentials.access_key.encode())

    def sign(self, canonical_request: bytes) -> str:
        """The signature of a canonical request, 64 lower-case hexadecimal digits."""
        return _hmac_hex(self._key, string_to_sign(canonical_request).encode())


def several(what: str, texts: Iterable[str]) -> Iterable[str]:
    """The texts as they are. A single one is also a sequence of texts, one of each letter: a secret that was
    given like that would be as many secrets, and each of them a letter."""
    if isinstance(texts, (str, bytes)):
        raise TypeError(f"{what}: expected a list, found a {type(texts).__name__}: put it in brackets")
    return texts


def string_to_sign(canonical_request: bytes) -> str:
    """The hash of a canonical request, 64 lower-case hexadecimal digits."""
    return hashlib.sha256(canonical_request).hexdigest()


def _hmac_hex(key: str, message: bytes) -> str:
    return hmac.new(key.encode(), message, hashlib.sha256).hexdigest()


def is_date(text: str) -> bool:
    """Whether this is `YYYYMMDD`, a day of the years 0001 to 9999."""
    if not re.fullmatch(r"[0-9]{8}", text):
        return False
    try:
        datetime.date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return False
    return True


def date_of(now: int) -> str:
    """The day in UTC of a time in nanoseconds since 1970."""
    return _utc(now).strftime("%Y%m%d").zfill(8)


def timestamp_of(now: int) -> str:
    """A time as section 9 writes it: in UTC, to the millisecond, further digits cut."""
    milliseconds = now // 1_000_000 % 1000
    return f"{_utc(now).strftime('%Y-%m-%dT%H:%M:%S').zfill(19)}.{milliseconds:03}Z"


def _utc(now: int) -> datetime.datetime:
    epoch = datetime.datetime(1970, 1, 1)
    return epoch + datetime.timedelta(seconds=now // NANOSECONDS)
