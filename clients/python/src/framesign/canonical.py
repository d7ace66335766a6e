"""The canonical request: sections 2 to 6. It is bytes, since values of fields need not be UTF-8."""

from __future__ import annotations

from urllib.parse import quote_from_bytes, unquote_to_bytes

from .head import Head


def canonical_request(head: Head, payload_sha256: bytes, without: bytes | None = None) -> bytes:
    """The five parts of section 2. A verifier leaves out the field `without`, in lower case."""
    parts = [
        head.method,
        canonical_uri(head.target.path),
        canonical_query(head.target.query),
        canonical_headers(head, without),
        payload_sha256.hex().encode(),
    ]
    return b"\n".join(parts)


def canonical_uri(path: bytes) -> bytes:
    """Section 4. An escaped slash stays escaped, since each segment is decoded by itself."""
    return b"/".join(_encode(unquote_to_bytes(segment)) for segment in path.split(b"/"))


def canonical_query(query: bytes) -> bytes:
    """Section 5."""
    values: dict[bytes, list[bytes]] = {}
    for piece in filter(None, query.split(b"&")):
        name, _, value = piece.replace(b"+", b" ").partition(b"=")
        values.setdefault(unquote_to_bytes(name), []).append(unquote_to_bytes(value))
    pairs = sorted((_encode(name), _encode(b",".join(all))) for name, all in values.items())
    return b"&".join(name + b"=" + value for name, value in pairs)


def canonical_headers(head: Head, without: bytes | None = None) -> bytes:
    """Section 6."""
    values: dict[bytes, list[bytes]] = {}
    for field in head.fields:
        if (name := field.name.lower()) != without:
            values.setdefault(name, []).append(field.value)
    return b"".join(name + b":" + b",".join(all) + b"\n" for name, all in sorted(values.items()))


def _encode(data: bytes) -> bytes:
    """Section 3. The standard library's functions leave exactly its unreserved bytes as they are."""
    return quote_from_bytes(data, safe="").encode()
