"""Compares this package with the program: errors and their offsets, verifying, and uploads to the service.

Call: FRAMESIGN=path/to/framesign python tests/against_framesign.py
FRAMESIGN_TEST_KILLS=20 kills service and uploader so often; a few times unless set.
"""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

from proxy import Proxy, cut, flip
from support import CREDENTIALS, DATE, signed_frames, vectors
from test_vectors import stages

from framesign import RequestSigner, Rules
from framesign.upload import Uploader

FRAMESIGN = os.environ["FRAMESIGN"]
KEYS = {
    "FRAMESIGN_ACCESS_KEY": CREDENTIALS.access_key,
    "FRAMESIGN_SECRET_KEY": CREDENTIALS.secret_key,
    "PATH": os.environ["PATH"],
}
PART = 64 * 1024
KILLS = int(os.environ.get("FRAMESIGN_TEST_KILLS", "6"))


class Program(unittest.TestCase):
    def run_program(self, *arguments, stdin=None):
        run = subprocess.run([FRAMESIGN, *arguments], env=KEYS, input=stdin, capture_output=True)
        return [json.loads(line) for line in run.stdout.splitlines()]

    def test_signatures_errors_and_offsets(self):
        frames = [(folder / "frame.http", frame) for folder, frame in vectors() + signed_frames()]
        paths = [str(path) for path, _ in frames]
        for option, rules in (["--strict"], Rules(strict=True)), ([], Rules()):
            theirs = self.run_program("sign", "--json", "--date", DATE, *option, *paths)
            self.assertEqual(len(theirs), len(frames))
            for (path, frame), their in zip(frames, theirs):
                with self.subTest(frame=path, rules=rules):
                    ours = stages([frame], rules)
                    if "error" in their:
                        self.assertEqual(ours, (their["error"]["kind"], their["error"]["offset"]))
                    else:
                        self.assertEqual(ours[1:], (their["string_to_sign"], their["signature"]))

    def test_program_verifies_what_is_made(self):
        head = b"PATCH /a//%41?b=1&b=x+y HTTP/1.1\r\nHost: test.com\r\nContent-Length: 5\r\n\r\n"
        for options in {}, {"nonce": False}, {"content_digest": False}:
            signer = RequestSigner(CREDENTIALS, methods=["PATCH"], **options)
            frame = signer.sign_head(head, hashlib.sha256(b"hello").digest()) + b"hello"
            for sent, valid in (frame, True), (frame[:-1] + b"O", False):
                said = self.run_program("verify", "--json", "--allow-method", "PATCH", stdin=sent)
                self.assertEqual(said[0]["valid"], valid, said)


class Service:
    """The service, with uploads in a folder of its own."""

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.files = Path(self.folder.name)
        self.start()
        return self

    def start(self):
        """Starts the program, on another port than before."""
        self.process = subprocess.Popen(
            [FRAMESIGN, "serve", "--listen", "127.0.0.1:0", "--uploads", self.folder.name],
            env={**KEYS, "SECRET": "a-secret-of-more-than-32-characters"},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        line = self.process.stdout.readline()
        assert "http://" in line, line
        self.url = "http://" + line.split("http://")[1].split()[0]

    def kill(self):
        """Ends the program without a chance to do anything about it."""
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()
        self.folder.cleanup()


class Uploads(unittest.TestCase):
    def setUp(self):
        self.service = Service()
        self.service.__enter__()
        self.addCleanup(self.service.__exit__)
        self.data = random.Random(1).randbytes(20 * PART + 7)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file, self.state = Path(folder.name, "file"), Path(folder.name, "state")
        self.file.write_bytes(self.data)

    def upload(self, url, **options):
        told = []
        uploader = Uploader(
            RequestSigner(CREDENTIALS), part_size=PART, longest_pause=1.5, notify=told.append, **options
        )
        with self.file.open("rb") as file:
            uploaded = uploader.upload(file, f"{url}/files/it", state=self.state)
        self.assertTrue(uploaded.in_parts and uploaded.is_confirmed)
        self.assertEqual(uploaded.sha256, hashlib.sha256(self.data).hexdigest())
        self.assertEqual((self.service.files / "it").read_bytes(), self.data)
        return told

    def test_in_parts(self):
        self.assertEqual(self.upload(self.service.url), [])

    def test_bits_that_flip_and_connections_that_break(self):
        with Proxy(self.service.url) as proxy:
            chance = random.Random(2)
            for at in sorted(chance.sample(range(len(self.data)), 8)):
                proxy.at(at, chance.choice([flip, cut]))
            self.assertGreaterEqual(len(self.upload(proxy.url)), 4)

    def enlarge(self):
        """A file of five parts for each kill."""
        self.data = random.Random(3).randbytes(5 * KILLS * PART + 7)
        self.file.write_bytes(self.data)

    def require_sent_once(self, proxy):
        """One part at most is sent again for each kill; the rest is heads."""
        self.assertLess(proxy.passed, len(self.data) + KILLS * (PART + 16 * 1024))

    def require_invisible(self):
        self.assertFalse((self.service.files / "it").exists(), "visible before its end")

    def test_uploader_killed_and_resumed(self):
        self.enlarge()
        chance = random.Random(4)
        with Proxy(self.service.url) as proxy:
            for kill in range(KILLS):
                if kill % 3 == 2:  # At any time, its start among it.
                    self.kill_after(proxy, chance.uniform(0, 0.4))
                else:  # At any byte. The sum of them is less than the file.
                    self.kill_at(proxy, proxy.passed + chance.randrange(1, 5 * PART))
                self.require_invisible()
            self.upload(proxy.url)
            self.require_sent_once(proxy)
        self.assertFalse(self.state.exists())

    def start_uploader(self, proxy):
        script = [sys.executable, "-B", __file__, self.file, f"{proxy.url}/files/it", self.state]
        return subprocess.Popen(script, stderr=subprocess.DEVNULL)

    def kill_at(self, proxy, passed):
        """Uploads in a process of its own, which is killed when so many bytes have passed."""
        uploader = self.start_uploader(proxy)

        def kill(_):
            uploader.kill()
            raise ConnectionResetError

        proxy.at(passed, kill)
        self.assertEqual(uploader.wait(60), -signal.SIGKILL)

    def kill_after(self, proxy, seconds):
        """The same after a time, in which it cannot send all."""
        uploader = self.start_uploader(proxy)
        limit = proxy.passed + 4 * PART
        end = time.monotonic() + seconds
        while time.monotonic() < end and proxy.passed < limit:
            time.sleep(0.001)
        uploader.kill()
        self.assertEqual(uploader.wait(60), -signal.SIGKILL)

    def test_service_killed_and_started_again(self):
        self.enlarge()
        chance = random.Random(8)
        killed, visible = [], []
        with Proxy(self.service.url) as proxy:

            def kill_next():
                proxy.at(proxy.passed + chance.randrange(1, 5 * PART), kill)

            def kill(piece):
                kind = chance.randrange(3)
                if kind == 0:
                    return lose(piece)
                if kind == 1:  # While it writes, syncs and answers.
                    threading.Timer(chance.uniform(0, 0.01), restart).start()
                else:  # Its answer is lost.
                    proxy.next_answer(lose)
                return piece

            def lose(_):
                restart()
                raise ConnectionResetError

            def restart():
                self.service.kill()
                killed.append(proxy.passed)
                visible.append((self.service.files / "it").exists())
                self.service.start()
                proxy.connect_to(self.service.url)
                if len(killed) < KILLS:
                    kill_next()

            kill_next()
            self.upload(proxy.url)
            self.assertEqual(len(killed), KILLS)
            self.assertEqual(visible, [False] * KILLS, "visible before its end")
            self.require_sent_once(proxy)


def main(path, url, state):
    """The process that is killed."""
    with open(path, "rb") as file:
        Uploader(RequestSigner(CREDENTIALS), part_size=PART).upload(file, url, state=Path(state))


if __name__ == "__main__":
    main(*sys.argv[1:]) if len(sys.argv) == 4 else unittest.main()
