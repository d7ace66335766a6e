"""Prints how fast payloads are hashed, as a share of hashlib alone.

Each chunk is hashed by both, one right after the other, and the medians are compared: what else the
machine does meanwhile slows both down.

Call: python tests/hash_ratio.py [MEBIBYTES OF PAYLOAD]
"""

import hashlib
import statistics
import sys
import time

from support import CREDENTIALS

from framesign import FrameHasher, RequestSigner, Rules, Verifier

CHUNK = bytes(range(256)) * 256  # 64 KiB, as a socket may give.


def main(mebibytes):
    chunks = mebibytes * 16
    sha256 = hashlib.sha256(CHUNK * chunks).digest()
    head = b"PUT /up HTTP/1.1\r\nHost: test.com\r\nContent-Length: %d\r\n\r\n" % (len(CHUNK) * chunks)
    signed = RequestSigner(CREDENTIALS).sign_head(head, sha256)

    hasher = FrameHasher(Rules(strict=True))
    hasher.update(head)
    ratio("signing", hasher, chunks)
    assert hasher.finish().endswith(sha256.hex().encode())

    verifier = Verifier({CREDENTIALS.access_key: [CREDENTIALS.secret_key]})
    verifier.update(signed)
    ratio("verifying", verifier, chunks)
    assert verifier.finish().payload_sha256 == sha256


def ratio(name, machine, chunks):
    alone, ours, plain = [], [], hashlib.sha256()
    for index in range(chunks):
        turns = [(plain, alone), (machine, ours)]
        for hashes, times in turns if index % 2 else reversed(turns):
            start = time.perf_counter_ns()
            hashes.update(CHUNK)
            times.append(time.perf_counter_ns() - start)
    print(f"{name}: {statistics.median(alone) / statistics.median(ours):.3f} of hashlib")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 128)
