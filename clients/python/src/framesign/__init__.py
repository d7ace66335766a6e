"""Signs and verifies HTTP/1.1 requests by the Dynata HTTP Request Signing Protocol, as framesign does.

    frame  reads a frame in chunks        signing    signs frames and requests
    head   what is known at its end       verifying  checks signed ones
    canonical, key  what is signed        upload     sends in signed parts that resume

`requests_auth` and `httpx_auth` sign what those clients send.
"""

from .errors import FrameError, Refusal, SigningError
from .head import Head, Rules
from .key import Credentials, SigningKey
from .signing import FieldNames, FrameHasher, RequestSigner, content_digest, sha256_of, sign
from .verifying import Pending, Policy, Verified, Verifier, check_request

__all__ = [
    "Credentials",
    "FieldNames",
    "FrameError",
    "FrameHasher",
    "Head",
    "Pending",
    "Policy",
    "Refusal",
    "RequestSigner",
    "Rules",
    "SigningError",
    "SigningKey",
    "Verified",
    "Verifier",
    "check_request",
    "content_digest",
    "sha256_of",
    "sign",
]
