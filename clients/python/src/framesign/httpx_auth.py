"""Signs what `httpx` sends: `httpx.put(url, content=body, auth=SigningAuth(signer))`.

A body that is no bytes is sent as it is read, so its hash is given with the request. The file is read
twice and never held:

    with open(path, "rb") as file:
        extensions = {"framesign.sha256": sha256_of(file)}
        client.put(url, content=file, auth=auth, extensions=extensions)
"""

from __future__ import annotations

import hashlib
from typing import Generator

import httpx

from .errors import SigningError
from .signing import RequestSigner, require_signer


class SigningAuth(httpx.Auth):
    """Signs each request when the client has built it: its default fields and cookies are signed with it.

    It drops `Connection: keep-alive`, which proxies drop. A request that is sent again is signed again,
    and has its fields replaced. With `follow_redirects=True` a redirect is followed with the old
    signature, which its target refuses; httpx follows none by default.
    """

    def __init__(self, signer: RequestSigner) -> None:
        self._signer = require_signer(signer)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Signs a request, which is sent once."""
        if "Transfer-Encoding" in request.headers:
            raise SigningError("the body has no known length: set Content-Length, chunks are refused")
        if request.headers.get("Connection", "").lower() == "keep-alive":
            del request.headers["Connection"]
        before = request.extensions.get("framesign.added", [])
        sha256 = _sha256_of_body(request)
        target, fields = request.url.raw_path, request.headers.raw
        added = self._signer.sign(request.method, target, fields, sha256, before)
        for name, _ in before:
            del request.headers[name]
        request.headers.update(dict(added))
        request.extensions["framesign.added"] = added
        yield request


def _sha256_of_body(request: httpx.Request) -> bytes:
    sha256 = request.extensions.get("framesign.sha256")
    if isinstance(sha256, bytes):
        return sha256
    try:
        return hashlib.sha256(request.content).digest()
    except httpx.RequestNotRead:
        raise SigningError(
            'the body is no bytes: give its hash as extensions={"framesign.sha256": sha256_of(file)}, or have '
            "it read into memory: request = client.build_request(...); request.read(); client.send(request)"
        ) from None
