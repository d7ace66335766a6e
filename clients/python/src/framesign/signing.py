"""Signs frames (sections 1 to 7) and makes signed frames and requests (sections 9 and 10)."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import time
from dataclasses import dataclass
from typing import BinaryIO, Callable, Iterable, List, Sequence, Tuple

from .canonical import canonical_request
from .errors import FrameError, SigningError
from .frame import Bytes, HeadReader, Payload
from .head import Head, Rules, Text, as_bytes, head_of_request
from .key import Credentials, SigningKey, date_of, several, timestamp_of
from .structured_fields import claimed_sha256

EMPTY_SHA256 = hashlib.sha256().digest()

Added = List[Tuple[str, str]]
Fields = Iterable[Tuple[Text, Text]]


def sign(access_key: str, secret_key: str, frame: bytes, date: str | None = None) -> str:
    """The signature of a frame that is read leniently, for today in UTC unless a date is given."""
    key = SigningKey(Credentials(access_key, secret_key), date or date_of(time.time_ns()))
    hasher = FrameHasher()
    hasher.update(frame)
    return key.sign(hasher.finish())


class FrameHasher:
    """Takes a frame in chunks of any size and gives its canonical request.

    An error is final: every later call raises it again.
    """

    def __init__(self, rules: Rules = Rules()) -> None:
        self._rules = rules
        self._reader = HeadReader(rules)
        self._payload: Payload | None = None
        self._error: FrameError | None = None

    @property
    def head(self) -> Head | None:
        """The head, once it is whole."""
        return self._reader.head

    def update(self, chunk: Bytes) -> None:
        """Reads the next bytes of the frame."""
        if self._error:
            raise self._error
        try:
            if self._payload is None:
                payload_at = self._reader.update(chunk)
                if payload_at is None or self.head is None:
                    return
                self._payload = Payload(self.head, self._rules.strict)
                chunk = memoryview(chunk)[payload_at:]
            self._payload.update(chunk)
        except FrameError as error:
            self._error = error
            raise

    def finish(self) -> bytes:
        """The canonical request of the frame that ends here."""
        if self._error:
            raise self._error
        if self._payload is None or self.head is None:
            raise self._reader.finish()
        return canonical_request(self.head, self._payload.finish())


@dataclass(frozen=True)
class FieldNames:
    """The names of the fields that a verifier looks for; both sides must use the same."""

    access_key: str = "dynata-access-key"
    date: str = "dynata-date"
    signature: str = "dynata-signature"

    _TAKEN = frozenset(
        "host content-length transfer-encoding connection te upgrade expect timestamp content-digest".split()
    )

    def __post_init__(self) -> None:
        names = [name.lower() for name in self.all()]
        is_token = all(re.fullmatch(r"[!#$%&'*+.^_`|~0-9a-z-]+", name) for name in names)
        if not is_token or len({*names}) < 3 or self._TAKEN & {*names}:
            raise SigningError("the names of the fields are not three tokens that are free: change them")

    def all(self) -> tuple[str, str, str]:
        """The three names."""
        return self.access_key, self.date, self.signature


@dataclass(frozen=True)
class RequestSigner:
    """Makes the fields that turn a request into a signed one: section 9, "Making a signed frame".

    `methods` are further methods, such as PATCH. `clock` gives nanoseconds since 1970.
    """

    credentials: Credentials
    methods: Iterable[str] = ()
    content_digest: bool = True
    nonce: bool = True
    names: FieldNames = FieldNames()
    clock: Callable[[], int] = time.time_ns

    def __post_init__(self) -> None:
        several("methods", self.methods)

    def sign(
        self,
        method: Text,
        target: Text,
        fields: Fields,
        payload_sha256: bytes,
        added: Sequence[tuple[str, str]] = (),
    ) -> Added:
        """The fields to add to a request that is about to be sent.

        `fields` are all that are sent, Host and Content-Length among them. To sign the same request
        again, give what this returned before as `added`: it is taken out first.
        """
        _require_sha256(payload_sha256)
        given = _without(fields, added)
        rules = Rules(methods=frozenset(name.encode() for name in self.methods))
        head = head_of_request(method, target, given, rules)
        if (head.content_length or 0) > 0 and payload_sha256 == EMPTY_SHA256:
            raise SigningError("Content-Length is above 0, and the payload is empty: correct one")
        if not head.content_length and payload_sha256 != EMPTY_SHA256:
            raise SigningError("the payload has no Content-Length: add it, a chunked body is refused")
        return self._sign(head, given, payload_sha256, method, target, rules)

    def sign_head(self, head: bytes, payload_sha256: bytes) -> bytes:
        """The signed head of a raw one, which ends in its empty line and is read strictly."""
        _require_sha256(payload_sha256)
        rules = Rules(strict=True, methods=frozenset(name.encode() for name in self.methods))
        unsigned = _read_head(head, rules)
        key, added = self._added(unsigned, payload_sha256)
        head = head[:-2] + _lines(added)
        # Read again, since the limits count the added fields.
        signed = _read_head(head + b"\r\n", rules)
        signature = key.sign(canonical_request(signed, payload_sha256))
        return head + _lines([(self.names.signature, signature)]) + b"\r\n"

    def _sign(
        self, head: Head, given: Fields, sha256: bytes, method: Text, target: Text, rules: Rules
    ) -> Added:
        key, added = self._added(head, sha256)
        signed = head_of_request(method, target, [*given, *added], rules)
        signature = key.sign(canonical_request(signed, sha256))
        return [*added, (self.names.signature, signature)]

    def _added(self, head: Head, payload_sha256: bytes) -> tuple[SigningKey, Added]:
        """The fields that are signed, and the key that signs them."""
        access_key = self.credentials.access_key
        if not re.fullmatch(r"[!-~]+", access_key):
            raise SigningError("the access key is not visible ASCII: a field cannot carry it")
        for name in self.names.all():
            if head.values(name.lower().encode()):
                raise SigningError(f"the request has a field {name} already: sign one that has none")
        now = self.clock()
        key = SigningKey(self.credentials, date_of(now))
        added = [(self.names.access_key, access_key), (self.names.date, key.date)]
        if not head.values(b"timestamp"):
            added.append(("timestamp", timestamp_of(now)))
        digests = head.values(b"content-digest")
        if not digests and self.content_digest:
            added.append(("content-digest", content_digest(payload_sha256)))
        if claimed_sha256(digests) not in (None, payload_sha256):
            raise SigningError("Content-Digest claims another hash than the payload's: remove it")
        if self.nonce and not head.values(b"dynata-nonce"):
            added.append(("dynata-nonce", secrets.token_hex(16)))
        return key, added


def require_signer(signer: RequestSigner) -> RequestSigner:
    """The signer as it is. What else was given would be noticed with the first request."""
    if not isinstance(signer, RequestSigner):
        found = type(signer).__name__
        raise TypeError(f"expected a RequestSigner, found {found}: give RequestSigner(credentials)")
    return signer


def content_digest(sha256: bytes) -> str:
    """The value of Content-Digest or Repr-Digest for a hash (RFC 9530)."""
    return f"sha-256=:{base64.b64encode(sha256).decode()}:"


def sha256_of(file: BinaryIO) -> bytes:
    """The hash of what a file holds from its position on. The position is the same afterwards.

    httpx announces the length of the whole file: give it one that is at its start.
    """
    start = file.tell()
    hash = hashlib.sha256()
    while chunk := file.read(256 * 1024):
        hash.update(chunk)
    file.seek(start)
    return hash.digest()


def _without(fields: Fields, added: Sequence[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    """The fields, less those that signing added before."""
    ours = {(name.lower().encode(), value.encode()) for name, value in added}
    pairs = [(as_bytes(name), as_bytes(value)) for name, value in fields]
    return [pair for pair in pairs if (pair[0].lower(), pair[1]) not in ours]


def _require_sha256(sha256: bytes) -> None:
    if not isinstance(sha256, bytes) or len(sha256) != 32:
        raise SigningError("the hash of the payload is not 32 bytes: give `digest()`, not `hexdigest()`")


def _read_head(head: bytes, rules: Rules) -> Head:
    reader = HeadReader(rules)
    if reader.update(head) != len(head) or reader.head is None:
        raise SigningError("the head does not end in an empty line, or bytes follow it: give a head alone")
    return reader.head


def _lines(fields: Added) -> bytes:
    return "".join(f"{name}: {value}\r\n" for name, value in fields).encode()
