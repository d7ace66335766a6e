"""Signed requests over one connection to a server, for uploads. `http.client` adds no field to them."""

from __future__ import annotations

import http.client
import io
import re
import socket
import ssl
import time
from http.client import HTTPException
from typing import Any, Iterable, Mapping
from urllib.parse import SplitResult, urljoin, urlsplit

from .answer import Answer
from .errors import UploadError
from .frame import Bytes
from .signing import EMPTY_SHA256, RequestSigner

_MOST_OF_A_BODY = 16 * 1024

# The time for the answer to a body, in longest silences. On a slow line most of a part can still be in
# buffers once it was handed on, and the server has to put it on stable storage.
_ANSWER = 3

# What breaks a connection. The request may have been served, and its answer lost.
Broken = (OSError, HTTPException)


class SignedConnection:
    """One connection, opened when it is needed and again after it broke. It follows no redirect."""

    def __init__(
        self, signer: RequestSigner, url: str, timeout: float, context: ssl.SSLContext | None
    ) -> None:
        self._signer = signer
        self._timeout = timeout
        parts = _split(url)
        if parts is None:
            raise UploadError(
                "the URL is not http:// or https://, a host without user, and a path of visible ASCII "
                "without a fragment: escape other characters, # as %23",
                can_be_resumed=False,
            )
        self._origin = (parts.scheme, parts.netloc)
        host = parts.hostname or ""
        if parts.scheme == "https":
            self._connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, parts.port, timeout=timeout, context=context
            )
        else:
            self._connection = http.client.HTTPConnection(host, parts.port, timeout=timeout)
        self._connection.response_class = self._response  # type: ignore[assignment]
        self._deadline = 0.0

    def close(self) -> None:
        """Closes the connection. The next request opens another one."""
        self._connection.close()

    def resolve(self, url: str, location: str) -> str:
        """The URL that a Location names. An answer could have requests signed for any server: it must be
        this one."""
        if re.search(r"(?i)(^|/)(\.|%2e){1,2}(/|$)", re.split("[?#]", location, maxsplit=1)[0]):
            raise UploadError("the server answered with a Location that has dot segments")
        try:
            named = urlsplit(location)
            is_relative = not named.scheme and not location.startswith("//")
            resolved = urljoin(url, location).partition("#")[0] if named.netloc or is_relative else ""
        except ValueError:
            resolved = ""
        parts = _split(resolved)
        if parts is None:
            raise UploadError("the server answered with a Location that is no URL of visible ASCII")
        if (parts.scheme, parts.netloc) != self._origin:
            raise UploadError("the server answered with a Location at another server: nothing is sent there")
        return resolved

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
        pairs = [("Host", self._origin[1]), *fields.items()]
        if length is not None:
            pairs.append(("Content-Length", str(length)))
        pairs += self._signer.sign(method, target, pairs, sha256)
        if self._connection.sock is not None:
            self._connection.sock.settimeout(self._timeout)
        try:
            self._connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            for name, value in pairs:
                self._connection.putheader(name, value)
            self._connection.endheaders()
            self._send_body(body)
            self._deadline = time.monotonic() + self._timeout * (_ANSWER if length else 1)
            return self._answer()
        except BaseException:
            self.close()
            raise

    def _send_body(self, body: Iterable[Bytes]) -> None:
        """Sends a body. A server that refuses the head closes; its answer may be there already."""
        try:
            for piece in body:
                self._connection.send(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def _answer(self) -> Answer:
        """The head says what became of the request. Its body, which may be too long or cut, says more."""
        with self._connection.getresponse() as response:
            try:
                body = response.read(_MOST_OF_A_BODY)
                is_read = not response.read(1)
            except Broken:
                body, is_read = b"", False
            if not is_read:
                self.close()
            return Answer(response.status, response.headers, body)

    def _response(self, sock: socket.socket, *args: Any, **options: Any) -> http.client.HTTPResponse:
        response = _FinalResponse(sock, *args, **options)
        response.fp = io.BufferedReader(_UntilDeadline(sock, response.fp.detach(), self._deadline))
        return response


def _split(url: str) -> SplitResult | None:
    """The parts of a URL that requests can be sent to."""
    try:
        parts = urlsplit(url)
        is_right = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1) > 0
    except ValueError:
        return None
    is_plain = re.fullmatch("[!-~]+", url) and "@" not in parts.netloc and "#" not in url
    return parts if is_right and is_plain else None


class _UntilDeadline(io.RawIOBase):
    """Reads from a socket until a time. Its own time-out is one of each byte."""

    def __init__(self, sock: socket.socket, raw: io.RawIOBase, deadline: float) -> None:
        super().__init__()
        self._socket, self._raw, self._deadline = sock, raw, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline - time.monotonic()
        try:
            if left > 0:
                self._socket.settimeout(left)
                return self._raw.readinto(buffer)
        except socket.timeout:  # TimeoutError from Python 3.10 on.
            pass
        raise TimeoutError("the server was silent for too long")

    def close(self) -> None:
        self._raw.close()
        super().close()


class _FinalResponse(http.client.HTTPResponse):
    """Reads over interim answers. `http.client` does so with 100 alone."""

    def begin(self) -> None:
        super().begin()
        while 101 < self.status < 200:
            self.headers = self.msg = None  # type: ignore[assignment]
            super().begin()
