"""Uploads to servers that fail, answer late or not at all: what is sent again."""

import contextlib
import email.utils
import io
import socket
import ssl
import threading
import time
import traceback
import unittest
from unittest import mock

from reference_server import ReferenceServer
from support import CREDENTIALS
from test_upload import PART, Pipe, content, uploader
from upload_case import LENGTH, Case, failing

from framesign import Credentials, RequestSigner
from framesign.upload import Uploader, UploadError


class Failures(Case):
    """Servers that fail, and what is sent again."""

    def test_what_passes_is_sent_again_and_signed_anew(self):
        for method in ("OPTIONS", "POST", "PATCH"):
            for status in (408, 425, 429, 500, 502, 503, 504):
                with self.subTest(method=method, status=status), ReferenceServer() as server:
                    server.before = failing(method, 3, status)
                    _, told = self.whole(server)
                    self.assertEqual(len(told), 3, told)
                    nonces = [request.fields["dynata-nonce"] for request in server.requests]
                    self.assertEqual(len({*nonces}), len(nonces))

    def test_refusals_are_few(self):
        for status, patches in ((400, 4), (401, 4), (404, 4), (415, 4), (501, 4), (403, 1), (410, 1)):
            with self.subTest(status=status), ReferenceServer() as server:
                server.before = failing("PATCH", 99, status)
                self.assertEqual(self.error(server, str(status)).status, status)
                self.assertEqual(server.count("PATCH"), patches)

    def test_a_wrong_key_is_refused_before_anything_is_sent(self):
        for credentials in (Credentials(CREDENTIALS.access_key, "other"), Credentials("nobody", "other")):
            with self.subTest(key=credentials.access_key), ReferenceServer() as server:
                # Whoever answers OPTIONS need not have looked at the signature.
                server.before = failing("OPTIONS", 9, 204, [("Upload-Limit", "max-age=60")])
                error = self.error(server, "check the keys, the clock", signer=RequestSigner(credentials))
                self.assertEqual(error.status, 401)
                self.assertEqual(self.counts(server, "POST", "PATCH"), [2, 0])
                self.assertEqual(sum(request.length for request in server.requests), 0)

    def test_errors_have_no_secret(self):
        for fault in ((401,), (503,), None):
            with self.subTest(fault=fault), ReferenceServer() as server:
                server.before = failing("POST", 99, *fault) if fault else lambda request: 1 / 0
                error = self.error(server, "", retries=1)
                text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
                shown = text + repr(error) + repr(error.__cause__)
                self.assertNotIn(CREDENTIALS.secret_key, shown)
                self.assertNotIn("dynata-signature", shown)

    def test_attempts_end(self):
        with ReferenceServer() as server:
            server.before = failing("PATCH", 99, 503)
            error = self.error(server, "503", retries=4)
            self.assertTrue(error.can_be_resumed)
            self.assertEqual(self.counts(server, "HEAD", "PATCH"), [4, 5])
        with ReferenceServer() as server:
            server.before = failing("OPTIONS", 99, 503)
            self.error(server, "503", retries=2)  # It does not say that it takes no parts.
            self.assertEqual(self.counts(server, "OPTIONS", "PUT"), [3, 0])

    def test_attempts_begin_anew_with_progress(self):
        with ReferenceServer() as server:
            # Each part fails twice.
            server.before = lambda request: (
                (503,) if request.method == "PATCH" and server.count("PATCH") % 3 else None
            )
            self.whole(server, io.BytesIO(content(20 * PART)), retries=2)

    def test_pauses_are_random_and_longer_each_time(self):
        pauses = []
        with ReferenceServer() as server, mock.patch("time.sleep", pauses.append):
            for _ in range(40):
                server.before = failing("POST", 99, 503)
                self.error(server, "503", longest_pause=30, retry_for=1e9)
        self.assertEqual(len(pauses), 40 * 20)
        for at in range(20):
            longest = min(30, 0.5 * 2**at)
            of_attempt = pauses[at::20]
            self.assertLessEqual(max(of_attempt), longest)
            self.assertGreater(max(of_attempt), longest / 2)
            self.assertLess(min(of_attempt), longest / 2)

    def test_retry_after_is_kept_within_the_time(self):
        date = email.utils.formatdate(time.time() + 100, usegmt=True)
        past = email.utils.formatdate(time.time() - 100, usegmt=True)
        for value, least, most in (
            ("120", 120, 120),
            (date, 90, 100),
            (past, 0, 0.5),
            ("soon", 0, 0.5),
            ("-1", 0, 0.5),
            ("Mon, 01 Jan 99999999999 00:00:00 GMT", 0, 0.5),
            ("", 0, 0.5),
        ):
            with self.subTest(value=value), ReferenceServer() as server:
                pauses = []
                server.before = failing("PATCH", 1, 503, [("Retry-After", value)])
                with mock.patch("time.sleep", pauses.append):
                    self.whole(server, longest_pause=30)
                self.assertEqual(len(pauses), 1)
                self.assertTrue(least <= pauses[0] <= most, pauses)
        for value in ("301", "9" * 400):
            with self.subTest(value=value), ReferenceServer() as server:
                server.before = failing("PATCH", 1, 503, [("Retry-After", value)])
                self.error(server, "503")
                self.assertEqual(server.count("PATCH"), 1)

    def test_whatever_has_retry_after_passes(self):
        for status in (401, 403, 409, 423, 507):
            with self.subTest(status=status), ReferenceServer() as server:
                server.before = failing("PATCH", 8, status, [("Retry-After", "0")])
                self.whole(server)

    def test_gives_up_in_time(self):
        now = [0.0]
        with ReferenceServer() as server, mock.patch("time.monotonic", lambda: now[0]):
            server.before = failing("POST", 99, 503)
            with mock.patch("time.sleep", lambda pause: now.__setitem__(0, now[0] + pause)):
                self.error(server, "503", retries=1000, longest_pause=30, retry_for=300)
        self.assertLessEqual(now[0], 300)
        self.assertGreater(now[0], 200)

    def test_a_part_is_cut_if_the_server_takes_smaller_ones(self):
        with ReferenceServer() as server:
            limit = [("Upload-Limit", "max-append-size=5000")]
            server.before = lambda request: (413, limit) if request.length > 5000 else None
            data = content(25_000)
            for source in (io.BytesIO(data), Pipe(data)):
                self.whole(server, source, part_size=9000)
                self.assertEqual(server.files.pop("/files/it"), data)

    def test_an_upload_that_the_server_has_lost_is_gone(self):
        for status in (404, 410):
            with self.subTest(status=status), ReferenceServer() as server:
                server.before = lambda request, status=status: (
                    (503 if request.method == "PATCH" else status,) if "/uploads/" in request.path else None
                )
                self.assertFalse(self.error(server, "does not know the upload").can_be_resumed)

    def test_nobody_at_the_address(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}/files/it"
        with self.assertRaisesRegex(UploadError, "no answer") as raised:
            uploader(retries=1)[0].upload(io.BytesIO(), url)
        self.assertTrue(raised.exception.can_be_resumed)

    def test_a_certificate_that_is_not_trusted_is_not_tried_again(self):
        error = ssl.SSLCertVerificationError()
        error.verify_message = "self-signed certificate"
        send = mock.Mock(side_effect=error)
        with mock.patch("framesign.upload.SignedConnection.send", send):
            with self.assertRaisesRegex(UploadError, "self-signed certificate.*`context`") as raised:
                uploader()[0].upload(io.BytesIO(), "https://127.0.0.1:1/files/it")
        self.assertTrue(raised.exception.can_be_resumed)
        send.assert_called_once()


class Silence(Case):
    """Servers that answer late, slowly, or never."""

    @contextlib.contextmanager
    def serving(self, answer):
        """A server that calls `answer` with each connection."""
        with socket.create_server(("127.0.0.1", 0)) as listener:

            def accept():
                with contextlib.suppress(OSError):
                    while True:
                        connection, _ = listener.accept()
                        threading.Thread(target=serve, args=(connection,), daemon=True).start()

            def serve(connection):
                with connection, contextlib.suppress(OSError):
                    answer(connection)

            threading.Thread(target=accept, daemon=True).start()
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/files/it"

    def fails(self, url, **options):
        options = {"retries": 0, "timeout": 0.3, **options}
        with self.assertRaisesRegex(UploadError, "no answer of the server: .*silent for too long") as raised:
            uploader(**options)[0].upload(io.BytesIO(content(LENGTH)), url)
        return raised.exception

    def test_silence_is_a_failure(self):
        with self.serving(lambda connection: connection.recv(1 << 16) and time.sleep(5)) as url:
            self.fails(url)

    def test_an_answer_that_trickles_is_a_failure(self):
        for begin in (b"", b"HTTP/1.1 200 OK\r\nA: "):

            def answer(connection, begin=begin):
                connection.recv(1 << 16)
                connection.sendall(begin)
                for _ in range(100):
                    connection.sendall(b"x")
                    time.sleep(0.05)
                connection.sendall(b"\r\nContent-Length: 0\r\n\r\n")

            with self.subTest(begin=begin), self.serving(answer) as url:
                self.fails(url)

    def test_the_body_of_an_answer_has_an_end(self):
        sent = []

        def answer(connection):
            connection.recv(1 << 16)
            connection.sendall(b"HTTP/1.1 403 No\r\nContent-Length: 1000\r\n\r\n")
            for _ in range(100):
                connection.sendall(b"x")
                time.sleep(0.05)
            sent.append(connection)

        # The head counts. OPTIONS may be refused by whoever knows no parts.
        with self.serving(answer) as url, self.assertRaisesRegex(UploadError, "refused PUT with 403"):
            uploader(retries=0, timeout=1)[0].upload(io.BytesIO(), url)
        self.assertEqual(sent, [], "all of it was waited for")

    def test_interim_answers_have_an_end(self):
        def answer(connection):
            connection.recv(1 << 16)
            for _ in range(200):
                connection.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n")
                time.sleep(0.025)
            connection.sendall(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")

        with self.serving(answer) as url:
            self.fails(url)

    def test_the_answer_to_a_part_has_more_time(self):
        with ReferenceServer() as server:
            server.before = lambda request: time.sleep(3) if request.length == 500 else None
            self.assertEqual(self.whole(server, timeout=2)[1], [])

    def test_a_part_is_handed_on_in_pieces_so_that_a_slow_line_is_not_silent(self):
        # The time-out of a socket is one of each call.
        sizes = []
        send = socket.socket.sendall

        def sendall(self, data, *flags):
            sizes.append(len(data))
            return send(self, data, *flags)

        data = bytes(3 << 20)
        with ReferenceServer() as server, mock.patch("socket.socket.sendall", sendall):
            for source in (io.BytesIO(data), Pipe(data)):
                self.whole(server, source, part_size=2 << 20)
        self.assertLessEqual(max(sizes), 256 << 10)


class Defaults(unittest.TestCase):
    def test_they_are_what_the_documents_say(self):
        made = Uploader(RequestSigner(CREDENTIALS))
        self.assertEqual((made.part_size, made.timeout), (16 << 20, 60))
        self.assertEqual((made.retries, made.damaged_retries), (20, 3))
        self.assertEqual((made.longest_pause, made.retry_for), (30, 300))


if __name__ == "__main__":
    unittest.main()
