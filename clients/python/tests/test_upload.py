"""Uploads in parts against a server that verifies them and fails on purpose."""

import hashlib
import io
import os
import subprocess
import sys
import tempfile
import time
import tracemalloc
import unittest
from pathlib import Path

from reference_server import ReferenceServer
from support import CREDENTIALS

from framesign import Credentials, RequestSigner
from framesign.upload import Uploader, UploadError

PART = 1000


class Pipe(io.RawIOBase):
    """A source of unknown length that gives a few bytes at a time."""

    def __init__(self, data):
        self._source = io.BytesIO(data)

    def readable(self):
        return True

    def read(self, size=-1):
        return self._source.read(min(size, 333) if size >= 0 else 333)


def content(length):
    return hashlib.shake_128(b"content").digest(length)


def uploader(**options):
    told = []
    options = {"part_size": PART, "longest_pause": 0.01, "notify": told.append, **options}
    made = Uploader(options.pop("signer", RequestSigner(CREDENTIALS)), **options)
    return made, told


class Uploads(unittest.TestCase):
    def send(self, server, data, source=None, **options):
        made, told = uploader(**options)
        uploaded = made.upload(
            source or io.BytesIO(data), f"{server.url}/files/it", {"Content-Type": "text/x"}
        )
        self.assertEqual(uploaded.sha256, hashlib.sha256(data).hexdigest())
        self.assertEqual(uploaded.length, len(data))
        self.assertEqual(server.files["/files/it"], data)
        return uploaded, told

    def test_lengths_around_the_size_of_a_part(self):
        for length in (0, 1, PART - 1, PART, PART + 1, 3 * PART, 3 * PART + 1):
            for kind in (io.BytesIO, Pipe):
                with self.subTest(length=length, kind=kind.__name__), ReferenceServer() as server:
                    data = content(length)
                    uploaded, told = self.send(server, data, kind(data))
                    self.assertTrue(uploaded.is_confirmed and uploaded.in_parts)
                    self.assertEqual((told, server.refusals), ([], []))
                    sent = [size for method, _, size in server.seen if method in ("POST", "PATCH")]
                    self.assertEqual(sum(sent), length)
                    self.assertLessEqual(max(sent), PART)

    def test_every_fault_at_every_part(self):
        data = content(4 * PART - 7)
        for fault in ("cut", "early", "503", "flip", "lost", "partial", "104"):
            for at in range(4):
                for kind in (io.BytesIO, Pipe):
                    with self.subTest(fault=fault, at=at, kind=kind.__name__), ReferenceServer() as server:
                        server.faults = [None] * at + [fault]
                        uploaded, told = self.send(server, data, kind(data))
                        self.assertEqual(server.faults, [])
                        self.assertTrue(uploaded.is_confirmed)
                        self.assertEqual(len(told), int(fault != "104"), told)
                        # One part at most is sent again.
                        sent = sum(size for _, _, size in server.seen)
                        self.assertLessEqual(sent, len(data) + PART)

    def test_several_faults_in_a_row(self):
        with ReferenceServer() as server:
            server.faults = [
                "cut",
                "503",
                "flip",
                "lost",
                "cut",
                "early",
                None,
                "partial",
                "lost",
                "flip",
                "flip",
            ]
            self.send(server, content(5 * PART))
            self.assertTrue(any("digest" in refusal for refusal in server.refusals), server.refusals)

    def test_gives_up_after_too_many_failures(self):
        for fault, most in (("503", 5), ("cut", 5), ("flip", 4)):
            with self.subTest(fault=fault), ReferenceServer() as server:
                server.faults = [fault] * 100
                with self.assertRaises(UploadError):
                    self.send(server, content(2 * PART), retries=4, damaged_retries=3)
                self.assertEqual(100 - len(server.faults), most)

    def test_busy_is_no_refusal(self):
        with ReferenceServer() as server:
            server.faults = [None, *["busy"] * 8]
            self.send(server, content(3 * PART))

    def test_retry_after_is_kept(self):
        with ReferenceServer() as server:
            server.faults = [None, "later"]
            begin = time.monotonic()
            self.send(server, content(3 * PART), longest_pause=5)
            self.assertGreaterEqual(time.monotonic() - begin, 1)

    def test_an_answer_before_the_end_of_a_part_is_heard(self):
        with ReferenceServer() as server:
            server.faults = [None, "gone"]
            with self.assertRaises(UploadError) as raised:
                self.send(server, bytes(32 << 20), part_size=16 << 20)
            self.assertEqual(raised.exception.status, 410)

    def test_what_the_server_says_is_in_the_error(self):
        with ReferenceServer() as server:
            server.faults = [None, "refused"]
            with self.assertRaisesRegex(UploadError, r"403 \(quota\)"):
                self.send(server, content(3 * PART))

    def test_a_wrong_key_is_said(self):
        with ReferenceServer() as server, self.assertRaises(UploadError) as raised:
            self.send(server, b"data", signer=RequestSigner(Credentials(CREDENTIALS.access_key, "other")))
        self.assertEqual(raised.exception.status, 401)
        self.assertIn("check the keys", str(raised.exception))
        self.assertNotIn("other", str(raised.exception))

    def test_limits_of_the_server_are_kept(self):
        with ReferenceServer(limits="max-append-size=5000") as server:
            self.send(server, content(20_000), part_size=6000)
            self.assertEqual(max(size for _, _, size in server.seen), 5000)
        with ReferenceServer(limits="min-append-size=1500") as server:
            self.send(server, content(2000))
            self.assertEqual([size for _, _, size in server.seen if size], [1500, 500])

    def test_another_hash_at_the_server_is_an_error(self):
        with ReferenceServer() as server:
            server.other_digest = bytes(32)
            with self.assertRaisesRegex(UploadError, "Repr-Digest"):
                self.send(server, content(2 * PART))

    def test_nothing_is_sent_to_another_server(self):
        with ReferenceServer() as server:
            server.other_origin = "http://127.0.0.2:1"
            with self.assertRaisesRegex(UploadError, "another server"):
                self.send(server, content(2 * PART))

    def test_a_source_or_url_that_cannot_be_read_is_an_error(self):
        with ReferenceServer() as server:
            waiting = Pipe(b"")
            waiting.read = lambda size: None
            with self.assertRaisesRegex(UploadError, "no bytes yet"):
                self.send(server, b"", waiting)
            for url in ("ftp://test.com/", "http:///x", f"{server.url}/files/a b"):
                with self.assertRaisesRegex(UploadError, "URL"):
                    uploader()[0].upload(io.BytesIO(), url)

    def test_one_put_if_the_server_takes_no_parts(self):
        data = content(3 * PART)
        for kind in (io.BytesIO, Pipe):
            for faults in ([], ["503", "cut", "flip"]):
                with (
                    self.subTest(kind=kind.__name__, faults=faults),
                    ReferenceServer(takes_parts=False) as server,
                ):
                    server.faults = list(faults)
                    uploaded, told = self.send(server, data, kind(data), part_size=4 * PART)
                    self.assertFalse(uploaded.in_parts or uploaded.is_confirmed)
                    self.assertIn("takes no parts", told[0])
                    self.assertEqual(len(told), 2 + len(faults))
                    self.assertIn(uploaded.sha256, told[-1])  # Nobody has compared it.


class Resumed(unittest.TestCase):
    """Uploads of a process that was killed."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file, self.state = Path(folder.name, "file"), Path(folder.name, "state")
        self.file.write_bytes(content(5 * PART))

    def upload(self, server, **options):
        made, told = uploader(**options)
        with self.file.open("rb") as file:
            return made.upload(file, f"{server.url}/files/it", state=self.state), told

    def kill_at(self, server, part):
        """Sends parts in a process of its own, which is killed as it begins with this one."""
        server.faults = [None] * part + ["cut"] * 100
        process = subprocess.Popen(
            [sys.executable, __file__, self.file, f"{server.url}/files/it", self.state],
            stderr=subprocess.PIPE,
        )
        process.stderr.readline()  # The first failure is said.
        process.kill()
        process.wait()
        process.stderr.close()
        server.faults = []

    def test_goes_on_where_it_was(self):
        for part in (1, 3, 4):
            with self.subTest(part=part), ReferenceServer() as server:
                self.kill_at(server, part)
                server.seen.clear()
                uploaded, told = self.upload(server)
                self.assertEqual(told, [])
                self.assertTrue(uploaded.is_confirmed)
                self.assertEqual(server.files["/files/it"], self.file.read_bytes())
                self.assertEqual(sum(size for _, _, size in server.seen), (5 - part) * PART)
                self.assertFalse(self.state.exists())

    def test_complete_at_the_server(self):
        with ReferenceServer() as server:
            self.kill_at(server, 4)
            upload = server.uploads["/uploads/0"]
            upload.data, upload.is_complete = bytearray(self.file.read_bytes()), True
            uploaded, _ = self.upload(server)
            self.assertTrue(uploaded.is_confirmed)

    def test_another_source_is_refused(self):
        with ReferenceServer() as server:
            self.kill_at(server, 2)
            os.utime(self.file, ns=(0, 0))
            with self.assertRaisesRegex(UploadError, "of another source"):
                self.upload(server)

    def test_begins_anew_if_the_upload_is_gone(self):
        with ReferenceServer() as server:
            self.kill_at(server, 2)
            server.uploads.clear()
            uploaded, told = self.upload(server)
            self.assertTrue(uploaded.is_confirmed)
            self.assertIn("begins anew", told[-1])

    def test_memory_does_not_grow_with_the_source(self):
        most = []
        for mebibytes in (4, 68):
            self.file.write_bytes(bytes(mebibytes << 20))
            with ReferenceServer() as server:
                script = [
                    sys.executable,
                    __file__,
                    self.file,
                    f"{server.url}/files/it",
                    self.state,
                    str(1 << 20),
                ]
                printed = subprocess.run(script, capture_output=True, check=True).stdout
                self.assertEqual(len(server.files["/files/it"]), mebibytes << 20)
            most.append(int(printed))
        self.assertLess(most[1] - most[0], 1 << 20)
        self.assertLess(most[1], 4 << 20)

    def test_state_has_no_secret(self):
        with ReferenceServer() as server:
            self.kill_at(server, 2)
            self.assertNotIn(CREDENTIALS.secret_key, self.state.read_text())
            self.assertIn("/uploads/0", self.state.read_text())


def main(path, url, state, part_size=PART):
    """A process that sends a file in parts, says what fails, and prints the most memory that it took."""
    told = {"notify": lambda text: print(text, file=sys.stderr, flush=True), "longest_pause": 30}
    made, _ = uploader(part_size=int(part_size), **told)
    tracemalloc.start()
    with open(path, "rb") as file:
        made.upload(file, url, state=Path(state))
    print(tracemalloc.get_traced_memory()[1])


if __name__ == "__main__":
    main(*sys.argv[1:]) if len(sys.argv) > 3 else unittest.main()
