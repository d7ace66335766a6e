"""Prints how fast frames are hashed, as a share of hashlib alone, from processor times of the same run.

Call: python tests/hash_ratio.py [MEBIBYTES OF PAYLOAD]
"""

import hashlib
import sys
import time

from support import CREDENTIALS

from framesign import FrameHasher, RequestSigner, Rules, Verifier

ROUNDS = 40


def main(mebibytes):
    chunk = bytes(range(256)) * 256  # 64 KiB, as a socket may give.
    chunks = mebibytes * 16
    sha256 = hashlib.sha256(chunk * chunks).digest()
    head = b"PUT /up HTTP/1.1\r\nHost: test.com\r\nContent-Length: %d\r\n\r\n" % (len(chunk) * chunks)
    signed = RequestSigner(CREDENTIALS).sign_head(head, sha256)

    def alone():
        hash = hashlib.sha256()
        for _ in range(chunks):
            hash.update(chunk)
        return hash.digest()

    def feed(machine, head):
        machine.update(head)
        for _ in range(chunks):
            machine.update(chunk)
        return machine.finish()

    def signing():
        return feed(FrameHasher(Rules(strict=True)), head)

    def verifying():
        return feed(Verifier({CREDENTIALS.access_key: [CREDENTIALS.secret_key]}), signed)

    assert alone() == sha256 and signing().endswith(sha256.hex().encode())
    assert verifying().payload_sha256 == sha256
    for run in (signing, verifying):
        # In turns, and the fastest of each: what others do on the machine only slows down.
        times = [(seconds(alone), seconds(run)) for _ in range(ROUNDS)]
        print(f"{run.__name__}: {min(a for a, _ in times) / min(b for _, b in times):.3f} of hashlib")


def seconds(run):
    start = time.process_time()
    run()
    return time.process_time() - start


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 16)
