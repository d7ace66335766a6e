"""Signs what `requests` sends: `requests.put(url, data=body, auth=SigningAuth(signer))`."""

from __future__ import annotations

import hashlib
import weakref
from typing import Any
from urllib.parse import urljoin, urlsplit

from requests.auth import AuthBase
from requests.models import PreparedRequest, Response

from .errors import SigningError
from .signing import EMPTY_SHA256, Added, RequestSigner, require_signer, sha256_of


class SigningAuth(AuthBase):
    """Signs each request when it has been prepared: its default fields and cookies are signed with it.

    It makes explicit what urllib3 would add, and drops `Connection: keep-alive`, which proxies drop. A
    Host that the caller gave stays. A prepared request that is signed again, to be sent again, has its
    fields replaced. A redirect is followed with the old signature, which its target refuses: send with
    `allow_redirects=False`.
    """

    def __init__(self, signer: RequestSigner) -> None:
        self._signer = require_signer(signer)
        self._added: weakref.WeakKeyDictionary[PreparedRequest, Added] = weakref.WeakKeyDictionary()
        # Those that the callers gave, since a redirect drops them.
        self._hosts: weakref.WeakKeyDictionary[PreparedRequest, str] = weakref.WeakKeyDictionary()

    def __call__(self, r: PreparedRequest) -> PreparedRequest:
        """Signs a prepared request, which `requests` hands over last."""
        assert r.url and r.method  # Both are set, since it is prepared.
        _set_length_of_empty_file(r)
        if "Transfer-Encoding" in r.headers:
            raise SigningError("the body has no known length: give bytes or a file, chunks are refused")
        sha256 = _sha256_of_body(r)
        self._remove_added(r)
        if "Host" in r.headers:
            self._hosts[r] = r.headers["Host"]
        host = self._hosts.get(r) or urlsplit(r.url).netloc.rpartition("@")[2]
        self._add(r, [("Host", host)])
        r.headers.setdefault("Accept-Encoding", "identity")
        r.headers.setdefault("User-Agent", "framesign-python")
        if r.headers.get("Connection", "").lower() == "keep-alive":
            del r.headers["Connection"]
        self._add(r, self._signer.sign(r.method, r.path_url, r.headers.items(), sha256))
        if _drop_host not in r.hooks["response"]:
            r.hooks["response"].append(_drop_host)
        return r

    def _add(self, r: PreparedRequest, fields: Added) -> None:
        r.headers.update(fields)
        self._added.setdefault(r, []).extend(fields)

    def _remove_added(self, r: PreparedRequest) -> None:
        """Removes what was added when it was signed before, unless the caller has changed it since."""
        for name, value in self._added.pop(r, []):
            if r.headers.get(name) == value:
                del r.headers[name]


def _drop_host(answer: Response, *_: Any, **__: Any) -> None:
    """A redirect keeps the fields of its request. With Host, the signature would hold at another server too."""
    if not answer.is_redirect:
        return
    location = urljoin(answer.url, answer.headers["Location"])
    if urlsplit(location).netloc != urlsplit(answer.url).netloc:
        answer.request.headers.pop("Host", None)


def _set_length_of_empty_file(r: PreparedRequest) -> None:
    """requests would send a file with nothing left in chunks. One that was read before is a mistake: the
    request would be sent without its body."""
    body: Any = r.body
    is_file = hasattr(body, "read") and hasattr(body, "seekable") and body.seekable()
    if "Transfer-Encoding" not in r.headers or not is_file:
        return
    at = body.tell()
    is_at_end = not body.read(1)
    body.seek(at)
    if not is_at_end:
        return
    if at > 0:
        raise SigningError("the file is at its end: seek to its start before it is sent, also before it is sent again")
    del r.headers["Transfer-Encoding"]
    r.headers["Content-Length"] = "0"
    r.body = b""


def _sha256_of_body(r: PreparedRequest) -> bytes:
    """The hash of the body: bytes, text, or a file from its position on."""
    body: Any = r.body
    if body is None:
        return EMPTY_SHA256
    if isinstance(body, str):
        r.body = body = body.encode()
        r.headers["Content-Length"] = str(len(body))
    if isinstance(body, (bytes, bytearray)):
        return hashlib.sha256(body).digest()
    if hasattr(body, "read") and hasattr(body, "seek"):
        return sha256_of(body)
    raise SigningError("the body cannot be read twice: give bytes, or a file that can be rewound")
