"""Signed requests over one connection to a server, for uploads. `http.client` adds no field to them."""

from __future__ import annotations

import http.client
import json
import re
import ssl
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPMessage
from typing import Any, Iterable, Mapping
from urllib.parse import urljoin, urlsplit

from .content_digest import claimed_sha256
from .frame import Bytes
from .signing import EMPTY_SHA256, RequestSigner

INTEROP_VERSION = "8"

_MOST_OF_A_BODY = 16 * 1024

# What breaks a connection. The request may have been served, and its answer lost.
Broken = (OSError, HTTPException)


class UploadError(Exception):
    """An upload that cannot go on. `status` is that of the answer that said so."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Answer:
    """A final answer. `body` is the beginning of its body, which can be problem details (RFC 9457)."""

    status: int
    fields: HTTPMessage = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    def integer(self, name: str) -> int | None:
        """A field that is a non-negative Integer of RFC 9651, without parameters."""
        value = self.fields.get_all(name, [])
        return int(value[0]) if len(value) == 1 and re.fullmatch("[0-9]{1,15}", value[0]) else None

    @property
    def is_complete(self) -> bool:
        return self.fields.get("Upload-Complete", "").strip() == "?1"

    def limit(self, name: str) -> int | None:
        """A member of Upload-Limit."""
        members = re.split(r"[ \t]*[,;][ \t]*", ", ".join(self.fields.get_all("Upload-Limit", [])))
        numbers = [re.fullmatch(name + "=([0-9]{1,15})", member.strip()) for member in members]
        found = [int(number[1]) for number in numbers if number]
        return found[-1] if found else None

    @property
    def problem(self) -> str:
        """The status, and what the server says of it in problem details."""
        is_problem = self.fields.get_content_type() == "application/problem+json"
        try:
            details = json.loads(self.body) if is_problem else {}
            detail = details.get("detail", "")
        except (ValueError, AttributeError):  # No JSON, or no object.
            detail = ""
        return f"{self.status} ({detail})" if detail else str(self.status)

    @property
    def repr_sha256(self) -> bytes | None:
        """The hash of the whole that Repr-Digest claims."""
        return claimed_sha256([line.encode() for line in self.fields.get_all("Repr-Digest", [])])


class SignedConnection:
    """One connection, opened when it is needed and again after it broke."""

    def __init__(
        self, signer: RequestSigner, url: str, timeout: float, context: ssl.SSLContext | None
    ) -> None:
        self._signer = signer
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UploadError("the URL is not http:// or https:// and a host: correct it")
        self._require_visible(url)
        self._origin = (parts.scheme, parts.netloc)
        self._host = parts.netloc.rpartition("@")[2]
        if parts.scheme == "https":
            self._connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                parts.hostname, parts.port, timeout=timeout, context=context
            )
        else:
            self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
        # Where a 104 says that the upload is, before the final answer has come.
        self.interim_location: str | None = None
        self._connection.response_class = self._response  # type: ignore[assignment]

    def close(self) -> None:
        """Closes the connection. The next request opens another one."""
        self._connection.close()

    def resolve(self, url: str, location: str) -> str:
        """The URL that a Location names. Nothing is sent to another server than the one asked."""
        resolved = urljoin(url, location)
        parts = urlsplit(resolved)
        if (parts.scheme, parts.netloc) != self._origin:
            raise UploadError("Location names another server: nothing is sent there")
        self._require_visible(resolved)
        return resolved

    def _require_visible(self, url: str) -> None:
        if not re.fullmatch("[!-~]+", url):
            raise UploadError("the URL has characters that are not visible ASCII: escape them")

    def send(
        self,
        method: str,
        url: str,
        fields: Mapping[str, str],
        body: Iterable[Bytes] = (),
        length: int | None = None,
        sha256: bytes = EMPTY_SHA256,
    ) -> Answer:
        """Signs a request anew, sends it and waits for its answer. Raises one of `Broken`."""
        parts = urlsplit(url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        pairs = [("Host", self._host), *fields.items()]
        if length is not None:
            pairs.append(("Content-Length", str(length)))
        pairs += self._signer.sign(method, target, pairs, sha256)
        try:
            self._connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            for name, value in pairs:
                self._connection.putheader(name, value)
            self._connection.endheaders()
            self._send_body(body)
            with self._connection.getresponse() as response:
                answer = Answer(response.status, response.headers, response.read(_MOST_OF_A_BODY))
                if response.read(1):
                    self.close()
                return answer
        except Broken:
            self.close()
            raise

    def _send_body(self, body: Iterable[Bytes]) -> None:
        """Sends a body. A server that refuses the head closes; its answer may be there already."""
        try:
            for piece in body:
                self._connection.send(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def _response(self, *args: Any, **options: Any) -> http.client.HTTPResponse:
        return _FinalResponse(self, *args, **options)


class _FinalResponse(http.client.HTTPResponse):
    """Reads over interim answers. `http.client` does so with 100 alone."""

    def __init__(self, connection: SignedConnection, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._signed_connection = connection

    def begin(self) -> None:
        super().begin()
        while 101 < self.status < 200:
            version = self.headers.get("Upload-Draft-Interop-Version")
            if self.status == 104 and version == INTEROP_VERSION and "Location" in self.headers:
                self._signed_connection.interim_location = self.headers["Location"]
            self.headers = self.msg = None  # type: ignore[assignment]
            super().begin()
