"""The published vectors, the ways in which input is cut, and the keys of the examples."""

import random
import sys
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "clients/python/src"))

from framesign import Credentials  # noqa: E402

CREDENTIALS = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
DATE = "20230801"

# Up to this length an input is cut in two at every byte; above it near both ends, near the limit of heads,
# and every 997 bytes.
EVERY_CUT = 1024
LIMIT = 64 * 1024


def ways(data):
    """All ways in which a test hands an input over, each a list of chunks."""
    yield [data]
    yield [data[at : at + 1] for at in range(len(data))]
    for cut in cuts(len(data)):
        yield [data[:cut], data[cut:]]
    chance = random.Random(len(data))
    for _ in range(5):
        at, chunks = 0, []
        while at < len(data):
            size = chance.choice([0, 1, 2, 7, 64, 4096])
            chunks.append(data[at : at + size])
            at += size
        yield chunks


def cuts(length):
    if length <= EVERY_CUT:
        return range(length + 1)
    near = {*range(64), *range(LIMIT - 16, LIMIT + 16), *range(length - 16, length + 1)}
    return sorted(cut for cut in near | {*range(0, length, 997)} if cut <= length)


def vectors():
    """Folder and frame of each signing vector."""
    return _cases("vectors")


def signed_frames():
    """Folder and frame of each case of a signed frame."""
    return _cases("signed")


def _cases(kind):
    cases = [(path.parent, path.read_bytes()) for path in (ROOT / "tests" / kind).rglob("frame.http")]
    assert cases, f"no vectors under tests/{kind}"
    return sorted(cases)
