"""Every case of a signed frame, verified in every way of cutting it, and made where it says of what."""

import copy
import datetime
import pickle
import unittest

from support import signed_frames, ways

from framesign import (
    Credentials,
    FrameError,
    FrameHasher,
    Policy,
    Refusal,
    RequestSigner,
    Rules,
    SigningError,
    Verifier,
    check_request,
)
from framesign.errors import SourceError, UploadError
from framesign.signing import EMPTY_SHA256
from framesign.verifying import parse_time


class Case:
    """The file `case` of a folder."""

    def __init__(self, folder):
        self.secrets, self.first = {}, None
        policy = {"hosts": []}
        for line in (folder / "case").read_text().splitlines():
            word, _, rest = line.partition(" ")
            if word == "now":
                self.now = parse_time(rest.encode())
            elif word == "age":
                policy["age"] = None if rest == "off" else int(rest)
            elif word == "host":
                policy["hosts"].append(rest)
            elif word == "max-payload":
                policy["max_payload"] = int(rest)
            elif (word, rest) == ("digest", "required"):
                policy["max_payload_without_digest"] = 0
            elif word == "secret":
                access_key, _, secret = rest.partition(" ")
                self.secrets.setdefault(access_key, []).append(secret)
                self.first = self.first or Credentials(access_key, secret)
            elif word == "revoked":
                self.secrets[rest] = []
            elif word == "result":
                self.result = rest
            else:
                raise ValueError(f"{folder}: {line}")
        self.policy = Policy(**policy)

    def verify(self, chunks):
        verifier = Verifier(self.secrets, self.policy, clock=lambda: self.now)
        try:
            for chunk in chunks:
                verifier.update(chunk)
            verifier.finish()
        except Refusal as refusal:
            return f"frame {refusal.error.kind}" if refusal.error else refusal.reason
        return "valid"


class SignedFrames(unittest.TestCase):
    def test_every_case(self):
        for folder, frame in signed_frames():
            case = Case(folder)
            with self.subTest(case=folder.name):
                for chunks in ways(frame):
                    self.assertEqual(case.verify(chunks), case.result)

    def test_frames_are_made_as_the_vectors_say(self):
        made = 0
        for folder, frame in signed_frames():
            if (folder / "unsigned.http").exists():
                with self.subTest(case=folder.name):
                    self.made(Case(folder), (folder / "unsigned.http").read_bytes(), frame)
                made += 1
        self.assertGreater(made, 5)

    def made(self, case, unsigned, signed):
        head, _, payload = unsigned.partition(b"\r\n\r\n")
        hasher = FrameHasher(Rules(strict=True))
        hasher.update(unsigned)
        sha256 = bytes.fromhex(hasher.finish()[-64:].decode())
        has_digest = b"content-digest" in signed.lower()
        signer = RequestSigner(case.first, content_digest=has_digest, nonce=False, clock=lambda: case.now)

        ours = signer.sign_head(head + b"\r\n\r\n", sha256)
        self.assertEqual(case.verify([ours, payload]), "valid")
        self.assertEqual(lines(ours), lines(signed.partition(b"\r\n\r\n")[0]))

        # The same by the fields of a request.
        request_line, *fields = head.split(b"\r\n")
        method, target, _ = request_line.split(b" ")
        fields = [tuple(field.split(b":", 1)) for field in fields]
        added = signer.sign(method, target, fields, sha256)
        self.assertEqual({f"{n}: {v}".encode().lower() for n, v in added}, lines(ours) - lines(head))
        check_request(method, target, [*fields, *added], case.secrets, case.policy, case.now)


def lines(head):
    """The lines of a head in an order of their own, names and all in lower case."""
    return {line.lower() for line in head.split(b"\r\n") if line}


class Mistakes(unittest.TestCase):
    """What is given wrongly is said when it is given, or lets nobody in."""

    def test_a_secret_is_not_as_many_secrets_as_it_has_letters(self):
        forged = RequestSigner(Credentials("access", "s"))
        request = ("GET", "/admin", [("Host", "test.com")])
        added = forged.sign(*request, EMPTY_SHA256)
        signed = (*request[:2], [*request[2], *added])
        for secrets in ({"access": "secrets"}, {"access": b"s"}, lambda _: "secrets"):
            with self.assertRaisesRegex(TypeError, "put it in brackets"):
                check_request(*signed, secrets)
        with self.assertRaisesRegex(Refusal, "signature"):
            check_request(*signed, {"access": ["secrets"]})

    def test_one_text_where_several_are_meant(self):
        for wrong in (
            lambda: Policy(hosts="test.com"),
            lambda: RequestSigner(Credentials("access", "secret"), methods="PATCH"),
        ):
            with self.assertRaisesRegex(TypeError, "put it in brackets"):
                wrong()

    def test_keys_are_text(self):
        for keys in (("access", b"hunter2"), ("access", None), (b"access", "hunter2")):
            with self.assertRaisesRegex(TypeError, "key is expected to be a str") as raised:
                Credentials(*keys)
            self.assertNotIn("hunter2", str(raised.exception))

    def test_a_method_that_is_not_allowed_is_named(self):
        signer = RequestSigner(Credentials("access", "secret"))
        for method, found in (("PATCH", "`PATCH`"), ("A" * 30, "another one"), ("\xff", "another one")):
            with self.assertRaisesRegex(FrameError, f"`methods` allows, found {found} at byte 0"):
                signer.sign(method, "/", [("Host", "test.com")], EMPTY_SHA256)

    def test_errors_are_pickled_and_copied(self):
        frame = FrameError("host", 7, "one Host", "a second one")
        for error in (
            frame,
            Refusal("stale"),
            Refusal("frame", frame),
            SigningError("words"),
            UploadError("words", 404, can_be_resumed=False),
            SourceError("words", can_be_resumed=False),
        ):
            for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
                self.assertEqual((type(again), str(again)), (type(error), str(error)))
                self.assertEqual({**vars(again), "error": None}, {**vars(error), "error": None})
                self.assertEqual(str(getattr(again, "error", None)), str(getattr(error, "error", None)))


class Times(unittest.TestCase):
    def test_days_are_those_of_the_calendar(self):
        for year in (1, 1582, 1900, 1969, 1970, 2000, 2024, 2100, 9999):
            for month, day in ((1, 1), (2, 28), (3, 1), (12, 31)):
                text = f"{year:04}-{month:02}-{day:02}T00:00:00Z"
                days = datetime.date(year, month, day).toordinal() - 719_163
                self.assertEqual(parse_time(text.encode()), days * 86_400 * 10**9, text)
        # `datetime` has no year 0; it is a leap year, before 0001.
        self.assertEqual(parse_time(b"0000-02-29T00:00:00Z"), -719_469 * 86_400 * 10**9)


if __name__ == "__main__":
    unittest.main()
