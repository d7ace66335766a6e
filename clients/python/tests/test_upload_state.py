"""The file that says where an upload is while it lasts."""

import os
import tempfile
import unittest
from pathlib import Path

from reference_server import ReferenceServer
from support import CREDENTIALS
from test_upload import PART, content, uploader
from upload_case import LENGTH, Case, changing, failing

from framesign.upload import UploadError


class State(Case):
    """The file that says where an upload is."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file, self.state = Path(folder.name, "file"), Path(folder.name, "state")
        self.file.write_bytes(content(LENGTH))

    def send(self, server, **options):
        made, told = uploader(**options)
        with self.file.open("rb") as file:
            return made.upload(file, f"{server.url}/files/it", state=self.state), told

    def break_off(self, server, status=507, fields=()):
        """An upload that ends at its second part."""
        server.before = lambda request: (
            (status, fields) if request.fields["Upload-Offset"] == str(PART) else None
        )
        with self.assertRaises(UploadError) as raised:
            self.send(server)
        server.before = lambda _: None
        server.requests.clear()
        return raised.exception

    def test_it_is_kept_unless_the_upload_has_ended(self):
        ended = [("Upload-Complete", "?1")]
        for status, fields, is_kept in (
            *((status, (), True) for status in (507, 413, 302, 421, 451)),
            (400, ended, False),
            (409, ended, False),
        ):
            with self.subTest(status=status, fields=fields), ReferenceServer() as server:
                error = self.break_off(server, status, fields)
                self.assertEqual((error.can_be_resumed, self.state.exists()), (is_kept, is_kept))
                if is_kept:
                    self.send(server)
                    self.assertEqual(self.counts(server, "POST", "PATCH"), [0, 2])
                self.assertFalse(self.state.exists())

    def test_it_is_of_one_url_access_key_and_source(self):
        def other_file():
            self.file.with_name("other").write_bytes(content(LENGTH))
            status = self.file.stat()
            os.utime(self.file.with_name("other"), ns=(status.st_atime_ns, status.st_mtime_ns))
            self.file.with_name("other").rename(self.file)

        def replace(old, new):
            self.state.write_text(self.state.read_text().replace(old, new))

        for other, change in (
            ("source", lambda: os.utime(self.file, ns=(0, 0))),
            ("source", other_file),
            ("access key", lambda: replace(CREDENTIALS.access_key, "x")),
            ("URL", lambda: replace("/files/it", "/files/x")),
            ("URL and access key", lambda: (replace(CREDENTIALS.access_key, "x"), replace("/it", "/x"))),
        ):
            with self.subTest(other=other), ReferenceServer() as server:
                self.break_off(server)
                change()
                with self.assertRaisesRegex(UploadError, f"is of another {other}: remove it") as raised:
                    self.send(server)
                self.assertFalse(raised.exception.can_be_resumed)
                self.assertTrue(self.state.exists())
                self.assertEqual(server.requests, [])
                self.state.unlink()

    def test_only_an_own_file_that_nobody_else_can_write_is_one(self):
        def linked():
            self.state.rename(self.state.with_name("target"))
            self.state.symlink_to(self.state.with_name("target"))

        def fifo():
            self.state.unlink()
            os.mkfifo(self.state)

        def other_content():
            self.state.write_text("My diary")

        def without_url():
            self.state.write_text(self.state.read_text().replace("/uploads/", "/a b/"))

        for change in (linked, fifo, other_content, lambda: self.state.chmod(0o666), without_url):
            with self.subTest(change=change), ReferenceServer() as server:
                self.break_off(server)
                change()
                with self.assertRaisesRegex(UploadError, "remove it, or name another|visible ASCII"):
                    self.send(server)
                self.assertEqual(server.count("POST") + server.count("PATCH"), 0)
                self.assertTrue(os.path.lexists(self.state), "it was removed")
                self.state.unlink()

    def test_it_is_private_and_written_beside_nothing_of_others(self):
        self.file.with_name("victim").write_text("victim")
        self.state.with_name("state.new").symlink_to(self.file.with_name("victim"))
        with ReferenceServer() as server:
            self.break_off(server)
            self.assertEqual(self.state.stat().st_mode & 0o777, 0o600)
            self.assertEqual(self.file.with_name("victim").read_text(), "victim")
            self.assertEqual(sorted(os.listdir(self.file.parent)), ["file", "state", "state.new", "victim"])

    def test_a_state_that_cannot_be_written_is_told(self):
        with ReferenceServer() as server:
            self.state = self.state / "no" / "folder"
            _, told = self.send(server)
            self.assertIn("cannot be resumed", told[0])

    def test_answers_to_options_tell_nothing_of_the_upload(self):
        for status in (200, 301, 401, 403, 404, 405, 410, 501):
            with self.subTest(status=status), ReferenceServer() as server:
                self.break_off(server)
                server.before = failing("OPTIONS", 9, status)
                self.assertTrue(self.send(server)[0].in_parts)
                self.assertEqual(self.counts(server, "POST", "PATCH", "PUT"), [0, 2, 0])

    def test_a_gone_upload_begins_anew(self):
        for status in (404, 410):
            with self.subTest(status=status), ReferenceServer() as server:
                self.break_off(server)
                server.before = failing("HEAD", 9, status)
                _, told = self.send(server)
                self.assertIn("begins anew", told[-1])
                self.assertEqual(server.count("POST"), 1)
                self.assertFalse(self.state.exists())
        with ReferenceServer() as server:  # A server that asks for patience knows it yet.
            self.break_off(server)
            server.before = failing("HEAD", 99, 404, [("Retry-After", "0")])
            with self.assertRaisesRegex(UploadError, "404"):
                self.send(server, retries=3)
            self.assertTrue(self.state.exists())
            self.state.unlink()
        with ReferenceServer() as server:  # It cannot begin anew either.
            self.break_off(server)
            server.before = lambda request: (
                (404 if request.method == "HEAD" else 403,) if request.method != "OPTIONS" else None
            )
            with self.assertRaisesRegex(UploadError, "403"):
                self.send(server)
            self.assertFalse(self.state.exists())

    def test_other_bytes_than_the_server_has_never_become_visible(self):
        with ReferenceServer() as server:
            self.break_off(server)
            status = self.file.stat()
            data = bytearray(content(LENGTH))
            data[100] ^= 1
            self.file.write_bytes(data)
            os.utime(self.file, ns=(status.st_atime_ns, status.st_mtime_ns))
            with self.assertRaises(UploadError):
                self.send(server)
            self.assertEqual((server.files, server.uploads, self.state.exists()), ({}, {}, False))

    def test_a_source_shorter_than_what_the_server_has_is_refused(self):
        with ReferenceServer() as server:
            self.break_off(server)
            server.after = changing("HEAD", upload_offset=str(LENGTH + 1))
            with self.assertRaisesRegex(UploadError, "another number of bytes"):
                self.send(server)
            # Whoever names another file by mistake would lose the upload.
            self.assertEqual((server.count("DELETE"), self.state.exists()), (0, True))

    def test_a_complete_upload_of_another_length_is_an_error(self):
        with ReferenceServer() as server:
            self.break_off(server)
            server.after = changing("HEAD", upload_complete="?1")
            with self.assertRaisesRegex(UploadError, "complete early"):
                self.send(server)


if __name__ == "__main__":
    unittest.main()
