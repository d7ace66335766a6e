"""The fields of a signed frame, as docs/protocol.md describes them in sections 2 to 6 and 9.

It takes what a client is about to send, so call it last: what is added afterwards is not signed, and
the server refuses the request.
"""

import hashlib
import hmac
import os
from base64 import b64encode
from datetime import datetime, timezone
from urllib.parse import quote_from_bytes, unquote_to_bytes


def signed_fields(method, target, fields, payload_sha256):
    """The fields to add to a request, whose keys are in the environment.

    `target` is what stands in the request line: the path and the query. `fields` are all the pairs of
    name and value that are sent, Host and Content-Length among them. `payload_sha256` is the digest
    of the body, as bytes.
    """
    access_key, secret_key = os.environ["FRAMESIGN_ACCESS_KEY"], os.environ["FRAMESIGN_SECRET_KEY"]
    now = datetime.now(timezone.utc)
    added = {
        "content-digest": f"sha-256=:{b64encode(payload_sha256).decode()}:",
        "dynata-access-key": access_key,
        "dynata-date": now.strftime("%Y%m%d"),
        "timestamp": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    canonical = canonical_request(method, target, [*fields, *added.items()], payload_sha256)
    date_key = hmac_hex(secret_key, added["dynata-date"])
    signing_key = hmac_hex(date_key, access_key)
    string_to_sign = hashlib.sha256(canonical.encode("latin-1")).hexdigest()
    return {**added, "dynata-signature": hmac_hex(signing_key, string_to_sign)}


def canonical_request(method, target, fields, payload_sha256):
    path, _, query = target.partition("?")
    joined = {}
    for name, value in fields:
        joined.setdefault(name.lower(), []).append(value.strip(" \t"))
    headers = "".join(f"{name}:{','.join(values)}\n" for name, values in sorted(joined.items()))
    return "\n".join([method, canonical_path(path), canonical_query(query), headers, payload_sha256.hex()])


def canonical_path(path):
    return "/".join(encode(unquote_to_bytes(segment)) for segment in path.split("/"))


def canonical_query(query):
    joined = {}
    for parameter in filter(None, query.split("&")):
        name, _, value = parameter.replace("+", " ").partition("=")
        joined.setdefault(unquote_to_bytes(name), []).append(unquote_to_bytes(value))
    return "&".join(sorted(f"{encode(name)}={encode(b','.join(values))}" for name, values in joined.items()))


def encode(text):
    return quote_from_bytes(text, safe="")


def hmac_hex(key, message):
    return hmac.new(key.encode(), message.encode(), hashlib.sha256).hexdigest()
