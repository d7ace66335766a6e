"""The size of parts."""

from __future__ import annotations

import sys

from .answer import Limits
from .errors import SourceError

_MEBIBYTE = 1 << 20

# Object stores take no more parts of one upload.
_MOST_PARTS = 10_000

# The next part of a stream is at least one of so many of what was sent. With parts of 16 MiB it grows
# after 31 GiB, and 10,000 parts hold more than 1 TiB.
_GROWTH = 2_000

# Of a part of a stream, which is held in memory, unless the caller asks for as many.
_MOST_HELD = 1024 * _MEBIBYTE

# A limit below this is a mistake of the server, or an attack by the number of requests.
_LEAST_APPEND = 4 * 1024


def part_size(asked: int, limits: Limits, length: int | None, offset: int) -> int:
    """The bytes of the part at `offset`: what is asked for, as far as limits and number of parts allow."""
    needed = offset // _GROWTH if length is None else -(-length // _MOST_PARTS)
    size = asked if needed <= asked else -(-needed // _MEBIBYTE) * _MEBIBYTE
    least = limits.min_append_size or 0
    if length is None and least > (most := max(asked, _MOST_HELD)):
        raise SourceError(
            f"the server takes parts of at least {least} bytes, and a part of a stream is held in memory, "
            f"at most {most} bytes: send a file"
        )
    left = asked if length is None else min(asked, length - offset)
    return max(1, min(max(size, least), max_append_size(limits, left)))


def max_append_size(limits: Limits, left: int) -> int:
    """The most bytes of a part of which `left` bytes are still to be sent."""
    if limits.max_append_size is None:
        return sys.maxsize
    if limits.max_append_size < min(_LEAST_APPEND, left):
        raise SourceError(
            f"the server takes parts of at most {limits.max_append_size} bytes, and there would be no end of "
            f"them: ask the operator for {_LEAST_APPEND} or more"
        )
    return limits.max_append_size
