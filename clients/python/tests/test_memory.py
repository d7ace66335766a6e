"""No payload is held, and no head beyond its limit."""

import tracemalloc
import unittest

from support import CREDENTIALS

from framesign import FrameError, FrameHasher, RequestSigner, Rules, Verifier

CHUNK = bytes(64 * 1024)
CHUNKS = 512


def most_memory(use):
    tracemalloc.start()
    try:
        use()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


class Memory(unittest.TestCase):
    def test_a_payload_is_not_held(self):
        head = b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (len(CHUNK) * CHUNKS)
        signer = RequestSigner(CREDENTIALS, content_digest=False)
        signed = signer.sign_head(head, bytes(32))  # It is compared at the end, which does not come.
        secrets = {CREDENTIALS.access_key: [CREDENTIALS.secret_key]}
        for machine, head in ((FrameHasher(), head), (Verifier(secrets), signed)):

            def feed(machine=machine, head=head):
                machine.update(head)
                for _ in range(CHUNKS):
                    machine.update(CHUNK)

            self.assertLess(most_memory(feed), 64 * 1024)

    def test_a_chunk_that_has_the_head_is_not_copied(self):
        frame = b"PUT / HTTP/1.1\r\nHost: a\r\n\r\n" + bytes(16 << 20)
        self.assertLess(most_memory(lambda: FrameHasher().update(frame)), 512 * 1024)

    def test_an_endless_head_is_bounded(self):
        def feed():
            hasher = FrameHasher(Rules(max_head=1 << 20))
            with self.assertRaises(FrameError):
                for _ in range(CHUNKS):
                    hasher.update(b"a" * len(CHUNK))

        self.assertLess(most_memory(feed), 3 << 20)


if __name__ == "__main__":
    unittest.main()
