"""Uploads of sources that fail, change or do not fit, and to servers that take no parts."""

import contextlib
import gzip
import hashlib
import io
import os
import tempfile
import traceback
import unittest
from pathlib import Path

from reference_server import ReferenceServer
from test_upload import PART, Pipe, content, uploader
from upload_case import LENGTH, Case, changing, failing

from framesign import content_digest
from framesign.answer import Limits
from framesign.part_size import part_size
from framesign.upload import UploadError

MIB, GIB = 1 << 20, 1 << 30


class Sources(Case):
    """Sources that fail, change, or do not fit."""

    def test_what_is_sent(self):
        for length in (0, 1, PART, 3 * PART, 3 * PART + 7):
            for make in (io.BytesIO, Pipe):
                with self.subTest(length=length, make=make), ReferenceServer() as server:
                    data = content(length)
                    self.whole(server, make(data))
                    options, post, *patches = server.requests
                    self.assertEqual([options.method, post.method, post.length], ["OPTIONS", "POST", 0])
                    self.assertEqual(post.fields["Upload-Complete"], "?0")
                    said = str(length) if make is io.BytesIO else None
                    self.assertEqual(post.fields["Upload-Length"], said)
                    for at, patch in enumerate(patches):
                        is_last = patch is patches[-1]
                        self.assertEqual(patch.fields["Upload-Offset"], str(at * PART))
                        self.assertEqual(patch.fields["Upload-Complete"], f"?{is_last:d}")
                        self.assertEqual(patch.fields["Content-Type"], "application/partial-upload")
                        self.assertIn("Content-Digest", patch.fields)
                        whole = content_digest(hashlib.sha256(data).digest()) if is_last else None
                        self.assertEqual(patch.fields["Repr-Digest"], whole)
                    for request in server.requests:
                        self.assertEqual(request.fields["Upload-Draft-Interop-Version"], "8")

    def test_a_stream_that_fails_is_cancelled(self):
        for at in (0, PART // 2, PART, LENGTH):
            with self.subTest(at=at), ReferenceServer() as server:
                pipe = Pipe(content(at))
                pipe.read = lambda size, read=pipe.read: read(size) or 1 / 0
                error = self.error(server, "cannot be read", pipe)
                self.assertFalse(error.can_be_resumed)
                self.assertEqual((server.count("DELETE"), server.uploads), (1, {}))

    def test_what_gives_no_bytes_is_refused_before_anything_is_sent(self):
        with open(__file__) as text:
            for source, found in (
                (text, "text"),
                (io.StringIO("text"), "text"),
                ("big.bin", "a str"),
                (b"bytes", "a bytes"),
                (Path("big.bin"), "Path"),
            ):
                with self.subTest(found=found), ReferenceServer() as server:
                    error = self.error(server, f'{found}: give a file that was opened with "rb"', source)
                    self.assertEqual((error.can_be_resumed, server.requests), (False, []))

    def test_a_stream_that_gives_text_is_cancelled(self):
        with ReferenceServer() as server:
            pipe = Pipe(b"")
            pipe.read = lambda _: "text"
            self.assertFalse(self.error(server, "gives str", pipe).can_be_resumed)
            self.assertEqual((server.count("DELETE"), server.uploads), (1, {}))

    def test_a_file_that_changes_on_the_way_is_an_error_and_cancelled(self):
        def grow(path):
            path.write_bytes(path.read_bytes() + b"x")

        def shrink(path):
            os.truncate(path, PART // 2)

        def touch(path):
            os.utime(path, ns=(1, 1))

        for change in (grow, shrink, touch):
            for at, status in ((PART, None), (2 * PART, 503)):
                with self.subTest(change=change, at=at), tempfile.TemporaryDirectory() as folder:
                    path = Path(folder, "file")
                    path.write_bytes(content(LENGTH))
                    with ReferenceServer() as server, path.open("rb") as file:

                        def before(request, path=path, change=change, at=at, status=status):
                            if request.fields["Upload-Offset"] == str(at):
                                change(path)
                                return (status,) if status else None
                            return None

                        server.before = before
                        self.assertFalse(self.error(server, "changed", file).can_be_resumed)
                        self.assertEqual((server.count("DELETE"), server.uploads), (1, {}))

    def test_a_device_is_a_stream(self):
        with ReferenceServer() as server, open("/dev/null", "rb") as device:
            self.whole(server, device)
            self.assertNotIn("Upload-Length", server.requests[1].fields)

    def test_what_is_decompressed_is_a_stream(self):
        with tempfile.NamedTemporaryFile() as file:
            with gzip.open(file.name, "wb") as compressed:
                compressed.write(content(LENGTH))
            with ReferenceServer() as server, gzip.open(file.name, "rb") as source:
                source.seek = lambda *_: self.fail("it would be read from its beginning")
                self.whole(server, source)
                self.assertEqual(server.files["/files/it"], content(LENGTH))
        with ReferenceServer() as server, tempfile.NamedTemporaryFile() as file:
            file.write(content(LENGTH))
            file.seek(1)
            self.whole(server, file)  # A file in a wrapper.
            self.assertEqual(server.requests[1].fields["Upload-Length"], str(LENGTH - 1))

    def test_a_source_that_is_too_large_is_not_begun(self):
        with ReferenceServer(limits=f"max-size={LENGTH - 1}") as server:
            self.error(server, f"{LENGTH} bytes")
            self.assertEqual(server.count("POST"), 0)

    def test_parts_that_memory_cannot_hold_are_not_read(self):
        limit = "min-append-size=999999999999999"
        for method, posts in (("OPTIONS", 0), ("POST", 1)):
            with self.subTest(method=method), ReferenceServer(limits="max-age=60") as server:
                server.after = changing(method, upload_limit=limit)
                pipe = Pipe(b"")
                pipe.read = lambda size: self.fail("it is read")
                self.error(server, "send a file", pipe)
                # Nobody can go on with a stream, so it is cancelled.
                self.assertEqual(self.counts(server, "POST", "DELETE"), [posts, posts])
                self.whole(server)  # A file is not held in memory.

    def test_parts_of_a_byte_are_not_sent(self):
        for method, posts in (("OPTIONS", 0), ("POST", 1)):
            for size in (0, 1):
                for make in (io.BytesIO, Pipe):
                    with (
                        self.subTest(method=method, make=make),
                        ReferenceServer(limits="max-age=60") as server,
                    ):
                        server.after = changing(method, upload_limit=f"max-append-size={size}")
                        self.error(server, "ask the operator", make(content(LENGTH)))
                        self.assertEqual(self.counts(server, "POST", "PATCH"), [posts, 0])
        with ReferenceServer() as server:
            server.before = failing("PATCH", 9, 413, [("Upload-Limit", "max-append-size=1")])
            self.error(server, "ask the operator")
            self.assertEqual(server.count("PATCH"), 1)

    def test_limits_of_another_type_are_ignored(self):
        for limits in (
            "max-size=",
            'max-size="9"',
            "max-size=9, min-append-size=-1",
            "max-size=(9)",
            "max-size",
        ):
            with self.subTest(limits=limits), ReferenceServer() as server:
                server.before = failing("OPTIONS", 1, 200, [("Accept-Patch", "application/partial-upload")])
                server.after = changing("POST", upload_limit=limits)
                self.whole(server)

    def test_a_url_is_sent_as_it_is_written(self):
        for target in ("/files/%C3%A4%20b", "/files/%7e%2F?a=b%20c&d=/", "/files/a;b//c"):
            with self.subTest(target=target), ReferenceServer() as server:
                source = io.BytesIO(content(LENGTH))
                uploaded = uploader()[0].upload(source, server.url + target)
                self.assertEqual((uploaded.url, [*server.files]), (server.url + target, [target]))

    def test_urls_that_cannot_be_sent_to(self):
        for url in (
            "ftp://test.com/x",
            "http:///x",
            "/files/x",
            "",
            "http://127.0.0.1:1/a b",
            "http://127.0.0.1:1/\u00e4",
            "http://127.0.0.1:1/a#b",
            "http://127.0.0.1:1/a#",
            "http://user:hunter2@127.0.0.1:1/a",
            "http://127.0.0.1:hunter2/a",
            "http://[hunter2/a",
        ):
            with self.subTest(url=url), self.assertRaises(UploadError) as raised:
                uploader()[0].upload(io.BytesIO(), url)
            error = raised.exception
            self.assertIn("URL", str(error))
            self.assertFalse(error.can_be_resumed)
            shown = traceback.format_exception(type(error), error, None)
            self.assertNotIn("hunter2", "".join(shown))


class WithoutParts(Case):
    """Servers that take no parts get one PUT."""

    def test_options_are_asked_twice(self):
        for status, asked in ((404, 2), (405, 2), (501, 2), (403, 1), (200, 1)):
            with self.subTest(status=status), ReferenceServer() as server:
                server.before = failing("OPTIONS", 9, status)
                uploaded, told = self.upload(server)
                self.assertFalse(uploaded.in_parts)
                self.assertIn("takes no parts", told[-2])
                self.assertIn(uploaded.sha256, told[-1])  # Nobody has compared it.
                self.assertEqual(self.counts(server, "OPTIONS", "POST", "PUT"), [asked, 0, 1])
        with ReferenceServer() as server:  # A bit flipped on the way.
            server.before = failing("OPTIONS", 1, 405)
            self.whole(server)

    def test_a_key_that_is_refused_is_no_lack_of_parts(self):
        with ReferenceServer() as server:
            server.before = failing("OPTIONS", 9, 401)
            self.error(server, "401")
            self.assertEqual(self.counts(server, "OPTIONS", "PUT"), [2, 0])

    def test_accept_patch_says_so_as_well(self):
        for types, in_parts in (
            ("text/x, Application/Partial-Upload;v=1", True),
            ("application/*, */*", False),
        ):
            with self.subTest(types=types), ReferenceServer() as server:
                server.before = failing("OPTIONS", 9, 200, [("Accept-Patch", types)])
                self.assertEqual(self.upload(server)[0].in_parts, in_parts)

    def test_a_pipe_must_fit_into_one_part(self):
        with ReferenceServer(takes_parts=False) as server:
            self.error(server, "send a file", Pipe(content(PART)))
            self.assertEqual(server.count("PUT"), 0)
            uploaded, _ = self.upload(server, Pipe(content(PART - 1)))
            self.assertEqual(uploaded.length, PART - 1)

    def test_a_file_that_changes_is_an_error(self):
        with ReferenceServer(takes_parts=False) as server, tempfile.NamedTemporaryFile() as file:
            file.write(content(LENGTH))
            file.flush()
            file.seek(0)
            server.before = lambda request: (
                (os.utime(file.name, ns=(1, 1)) or 503,) if request.method == "PUT" else None
            )
            self.error(server, "changed", file)


class Sizes(unittest.TestCase):
    """Sizes of parts."""

    def test_a_file_has_at_most_ten_thousand_parts(self):
        def size(asked, length):
            return part_size(asked, Limits(), length, 0)

        self.assertEqual(size(16 * MIB, 100 * GIB), 16 * MIB)
        self.assertEqual(size(16 * MIB, 1000 * GIB), 103 * MIB)
        self.assertEqual((size(1000, 10_000_000), size(1000, 10_000_001)), (1000, MIB))
        for length in (1, 9_999, 10_000, 10_001, GIB, 160 * GIB, 5 << 40):
            self.assertLessEqual(-(-length // size(1, length)), 10_000)

    def test_a_stream_of_a_tebibyte_has_at_most_ten_thousand_parts(self):
        offset, parts = 0, 0
        while offset < 1 << 40:
            size = part_size(16 * MIB, Limits(), None, offset)
            self.assertTrue(offset > 30 * GIB or size == 16 * MIB)
            offset, parts = offset + size, parts + 1
        self.assertLessEqual(parts, 10_000)

    def test_limits_of_the_server_count(self):
        limits = Limits(min_append_size=5000, max_append_size=10_000)
        sizes = [part_size(asked, limits, None, 0) for asked in (100, 7000, 20_000)]
        self.assertEqual(sizes, [5000, 7000, 10_000])
        for least, is_held in ((GIB, True), (GIB + 1, False)):
            limits = Limits(min_append_size=least)
            self.assertEqual(part_size(MIB, limits, 1 << 40, 0), least)
            with contextlib.nullcontext() if is_held else self.assertRaises(UploadError):
                self.assertEqual(part_size(MIB, limits, None, 0), least)
            # A caller who asks for as much has the memory.
            self.assertEqual(part_size(least, limits, None, 0), least)

    def test_parts_are_never_so_small_that_there_is_no_end_of_them(self):
        for most in (0, 1, 4095):
            for length in (None, 4096, GIB):
                with self.assertRaises(UploadError):
                    part_size(16 * MIB, Limits(max_append_size=most), length, 0)
        # What fits into one part is sent, as is what was to be sent in parts as small.
        for asked, most, length, offset, size in (
            (16 * MIB, 4096, None, 0, 4096),
            (16 * MIB, 10, 10, 0, 10),
            (16 * MIB, 0, 0, 0, 1),
            (10, 10, None, 0, 10),
            (16 * MIB, 10, GIB, GIB - 10, 10),
        ):
            self.assertEqual(part_size(asked, Limits(max_append_size=most), length, offset), size)


if __name__ == "__main__":
    unittest.main()
