"""Uploads to servers whose answers are wrong."""

import socket
import unittest

from reference_server import ReferenceServer
from test_upload import PART
from upload_case import LAST, LENGTH, Case, changing, failing

from framesign import content_digest
from framesign.upload import UploadError

HTML = (200, [("Content-Type", "text/html")], b"<p>Log in")


class Answers(Case):
    """Servers whose answers are wrong."""

    def test_a_creation_must_say_where_the_upload_is(self):
        for location, words in (
            (None, "no Location"),
            ("http://elsewhere.test/uploads/1", "another server"),
            ("//elsewhere.test/uploads/1", "another server"),
            ("https://127.0.0.1/uploads/1", "another server"),
            ("http://user@127.0.0.1/uploads/1", "Location"),
            ("http://", "Location"),
            ("http:/x", "Location"),
            ("///x", "Location"),
            ("http://127.0.0.1:port/", "Location"),
            ("/uploads/../1", "dot segments"),
            ("./1", "dot segments"),
            ("/uploads/%2E%2e/1", "dot segments"),
            ("/a b", "visible ASCII"),
            ("/\u00e4", "visible ASCII"),
        ):
            with self.subTest(location=location), ReferenceServer() as server:
                server.after = changing("POST", location=location)
                self.error(server, words)
                self.assertEqual(self.counts(server, "POST", "PATCH"), [1, 0])

    def test_an_offset_must_be_one_that_was_sent(self):
        for offset, words in (("1001", "another number"), ("x", "Upload-Offset"), ("-1", "Upload-Offset")):
            with self.subTest(offset=offset), ReferenceServer() as server:
                server.before = failing("PATCH", 9, 503)
                server.after = changing("HEAD", upload_offset=offset)
                self.error(server, words)

    def test_fields_of_an_answer_are_items_on_one_line(self):
        with ReferenceServer() as server:
            server.before = failing("PATCH", 1, 503)
            server.after = changing("HEAD", upload_offset="0;note=x", upload_complete="?0;x")
            self.whole(server)

    def test_an_upload_that_is_complete_early_is_an_error(self):
        for at, offset, is_right in (
            (0, PART, False),
            (LAST, LAST, False),
            (LAST, LENGTH - 1, False),
            (LAST, LENGTH, True),
        ):
            with self.subTest(at=at, offset=offset), ReferenceServer() as server:
                server.before = lambda request, at=at: (
                    (503,) if request.fields["Upload-Offset"] == str(at) else None
                )
                server.after = changing("HEAD", upload_offset=str(offset), upload_complete="?1")
                if is_right:
                    uploaded, _ = self.upload(server)
                    self.assertEqual((uploaded.length, uploaded.is_confirmed), (LENGTH, False))
                else:
                    self.assertFalse(self.error(server, "complete early").can_be_resumed)

    def test_a_success_that_says_nothing_of_a_part_is_asked_for(self):
        for offset in (0, PART, LAST):
            with self.subTest(offset=offset), ReferenceServer() as server:
                answered = []

                def before(request, offset=offset, answered=answered):
                    if request.fields["Upload-Offset"] == str(offset) and not answered:
                        answered.append(request)
                        return HTML
                    return None

                server.before = before
                self.assertTrue(self.whole(server)[0].is_confirmed)
                self.assertEqual(self.counts(server, "HEAD", "PATCH"), [1, 4])

    def test_a_success_of_somebody_else_is_never_an_upload(self):
        for offset in (0, LAST):
            with self.subTest(offset=offset), ReferenceServer() as server:
                begun = []

                def before(request, offset=offset, begun=begun):
                    if request.fields["Upload-Offset"] == str(offset):
                        begun.append(request)
                    return HTML if begun else None

                server.before = before
                self.assertTrue(self.error(server, "Upload-Offset").can_be_resumed)

    def test_one_field_of_the_upload_is_enough(self):
        for removed, heads in (
            ({"upload_offset": None}, 0),
            ({"upload_complete": None}, 0),  # The last one has the right hash.
            ({"upload_offset": None, "upload_complete": None}, 2),
            ({"upload_offset": None, "upload_complete": None, "repr_digest": None}, 3),
        ):
            with self.subTest(removed=removed), ReferenceServer() as server:
                server.after = changing("PATCH", **removed)
                self.assertTrue(self.whole(server)[0].is_confirmed)
                self.assertEqual(self.counts(server, "HEAD", "PATCH"), [heads, 3])

    def test_a_success_of_another_part_is_looked_at(self):
        with ReferenceServer() as server:

            def after(request, fields):
                if request.fields["Upload-Offset"] == str(PART):
                    changing("PATCH", upload_offset="7")(request, fields)

            server.after = after
            self.whole(server)
            self.assertEqual(self.counts(server, "HEAD", "PATCH"), [1, 3])
        with ReferenceServer() as server:
            server.before = failing("PATCH", 99, 204, [("Upload-Offset", 7), ("Upload-Complete", "?0")])
            self.error(server, "another part", retries=4)
            self.assertEqual(server.count("PATCH"), 5)

    def test_a_hash_that_the_server_does_not_name_is_not_confirmed(self):
        with ReferenceServer() as server:
            server.after = changing("PATCH", repr_digest=None)
            self.assertFalse(self.whole(server)[0].is_confirmed)

    def test_another_hash_of_the_whole_is_final(self):
        with ReferenceServer() as server:
            server.after = changing("PATCH", repr_digest=content_digest(bytes(32)))
            with self.assertRaisesRegex(UploadError, "Repr-Digest") as raised:
                self.upload(server)
            self.assertFalse(raised.exception.can_be_resumed)

    def test_a_redirect_is_not_followed(self):
        for method, status in (("POST", 307), ("POST", 301), ("PATCH", 308)):
            with self.subTest(method=method), ReferenceServer() as server:
                server.before = failing(method, 9, status, [("Location", "/files/other")])
                self.assertEqual(self.error(server, str(status)).status, status)
                self.assertEqual(server.count(method), 1)
                self.assertNotIn("/files/other", [request.path for request in server.requests])

    def test_an_error_that_completes_the_upload_is_final(self):
        for status in (400, 409, 503):
            with self.subTest(status=status), ReferenceServer() as server:
                server.before = failing("PATCH", 9, status, [("Upload-Complete", "?1"), ("Retry-After", "0")])
                self.assertFalse(self.error(server, str(status)).can_be_resumed)
                self.assertEqual(server.count("PATCH"), 1)

    def test_a_refused_upload_can_be_resumed_unless_it_has_ended(self):
        for status in (302, 400, 401, 403, 409, 413, 421, 451, 507):
            for complete in (None, "?0"):
                with self.subTest(status=status, complete=complete), ReferenceServer() as server:
                    fields = [("Upload-Complete", complete)] if complete else []
                    server.before = failing("PATCH", 9, status, fields)
                    error = self.error(server, str(status))
                    self.assertEqual((error.status, error.can_be_resumed), (status, True))

    def test_words_of_the_server_are_shown_if_they_are_a_line_of_text(self):
        for body, shown in (
            (b'{"detail":"quota"}', "(quota)"),
            (b'{"detail":"a\\u001b[2J"}', None),
            (b'{"detail":{"a":1}}', None),
            (b'{"detail":""}', None),
            (b"[" * 16_000, None),
            (b"no", None),
            (b'{"detail":"' + bytes([120]) * 1_000_000 + b'"}', None),
        ):
            with self.subTest(body=body[:20]), ReferenceServer() as server:
                fields = [("Content-Type", "Application/Problem+JSON; charset=utf-8")]
                server.before = failing("POST", 9, 403, fields, body)
                text = str(self.error(server, shown or "403"))
                self.assertLess(len(text), 100)
                self.assertEqual("(" in text, shown is not None, text)

    def test_the_head_of_an_answer_counts_if_its_body_is_cut(self):
        with ReferenceServer() as server:

            def before(request):
                if request.method == "PATCH":
                    request.socket.sendall(
                        b"HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
                    )
                    request.socket.shutdown(socket.SHUT_RDWR)
                return None

            server.before = before
            self.assertEqual(self.error(server, "403").status, 403)


if __name__ == "__main__":
    unittest.main()
