"""What a dictionary of RFC 8941 claims, and what is none."""

import hashlib
import unittest

from support import CREDENTIALS

from framesign import FrameError, FrameHasher, RequestSigner, SigningError, content_digest
from framesign.structured_fields import claimed_sha256

SHA256 = hashlib.sha256(b"hello").digest()
OURS = content_digest(SHA256)

CLAIM = [
    OURS,
    f"a=1, {OURS}",
    f"a=( ), {OURS}",
    f'a=( 1   "b";c;d=?0 );e, {OURS}',
    f"a;b=1; c=-1.5, {OURS};x=*t:/",
    f'a="\\" \\\\", {OURS}',
    f"a=999999999999999,\t{OURS}",
    f"a=999999999999.999 , {OURS}",
    f"sha-256=(1), {OURS}",
    f"sha-256=:AAAA:, {OURS}",
    OURS.rstrip("=:") + ":",
]
CLAIM_NOTHING = [
    "",
    f"{OURS},",
    f",{OURS}",
    f"{OURS} x",
    f"{OURS}, sha-256",
    f"{OURS}, sha-256=(:AAAA:)",
    OURS.replace("=:", "=:AAAA", 1),
    *[
        f"{bad}, {OURS}"
        for bad in (
            "A=1 a= a=@1 a=%1 a=(1 a=1) a=(1,2) a=(1)2 a=1. a=.5 a=1.2345 a=1234567890123456"
            ' a=1234567890123.1 a=--1 a=+1 a=?2 a=? a=" a="\\x" a=:AA=A: a=:A: a=:AA===: a=:A-A_: a=1;B'
            " a=1; a;b= =1 1=1 a=:AAAA a=é"
        ).split(" ")
    ],
]


class ContentDigest(unittest.TestCase):
    def test_claims(self):
        for text in CLAIM:
            self.assertEqual(claimed_sha256([text.encode()]), SHA256, text)
        self.assertEqual(claimed_sha256([b"a=1", OURS.encode()]), SHA256)

    def test_claims_nothing(self):
        for text in CLAIM_NOTHING:
            self.assertIsNone(claimed_sha256([text.encode("latin-1")]), text)
        self.assertIsNone(claimed_sha256([]))
        self.assertIsNone(claimed_sha256([b"", OURS.encode()]))


class Texts(unittest.TestCase):
    def test_case_is_that_of_ascii(self):
        frame = b"GET http://\xc4/ HTTP/1.1\r\nHost: \xe4\r\n\r\n"
        with self.assertRaises(FrameError) as raised:
            FrameHasher().update(frame)
        self.assertEqual((raised.exception.kind, raised.exception.offset), ("authority", 11))

    def test_each_signature_has_a_nonce_of_its_own(self):
        signer = RequestSigner(CREDENTIALS, clock=lambda: 0)
        fields = [("Host", "test.com")]
        first, second = (dict(signer.sign("GET", "/", fields, hashlib.sha256().digest())) for _ in range(2))
        differing = {name for name in first if first[name] != second[name]}
        self.assertEqual(differing, {"dynata-nonce", "dynata-signature"})

    def test_a_hash_is_32_bytes(self):
        signer = RequestSigner(CREDENTIALS)
        for sha256 in (SHA256.hex(), SHA256[:31]):
            with self.assertRaisesRegex(SigningError, "32 bytes"):
                signer.sign("PUT", "/", [("Host", "test.com"), ("Content-Length", "5")], sha256)
            with self.assertRaisesRegex(SigningError, "32 bytes"):
                signer.sign_head(b"GET / HTTP/1.1\r\nHost: test.com\r\n\r\n", sha256)

    def test_a_length_that_contradicts_the_payload_is_an_error(self):
        signer = RequestSigner(CREDENTIALS)
        for length, sha256 in (("5", hashlib.sha256().digest()), ("0", SHA256), (None, SHA256)):
            fields = [("Host", "test.com"), *([("Content-Length", length)] if length else [])]
            with self.assertRaises(SigningError):
                signer.sign("PUT", "/", fields, sha256)


if __name__ == "__main__":
    unittest.main()
