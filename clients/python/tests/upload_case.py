"""Uploads to a server whose answers are changed, and what came of them."""

import hashlib
import io
import unittest

from test_upload import PART, content, uploader

from framesign.upload import UploadError

LENGTH = 5 * PART // 2
LAST = (LENGTH - 1) // PART * PART


class Case(unittest.TestCase):
    def upload(self, server, source=None, **options):
        """Uploads two parts and a half, or a source. Returns what came of it, and what was told."""
        made, told = uploader(**options)
        source = io.BytesIO(content(LENGTH)) if source is None else source
        return made.upload(source, f"{server.url}/files/it"), told

    def whole(self, server, source=None, **options):
        """The same, and the file is right."""
        uploaded, told = self.upload(server, source, **options)
        self.assertEqual(uploaded.sha256, hashlib.sha256(server.files["/files/it"]).hexdigest())
        self.assertEqual(uploaded.length, len(server.files["/files/it"]))
        self.assertTrue(uploaded.in_parts)
        return uploaded, told

    def error(self, server, words, source=None, **options):
        """The error of an upload, which has these words."""
        with self.assertRaises(UploadError) as raised:
            self.upload(server, source, **options)
        self.assertIn(words, str(raised.exception))
        self.assertNotIn("/files/it", server.files)
        return raised.exception

    def counts(self, server, *methods):
        return [server.count(method) for method in methods]


def failing(method, times, *answer):
    """Answers the first requests of a method otherwise."""
    left = [times]

    def before(request):
        if request.method == method and left[0] > 0:
            left[0] -= 1
            return answer
        return None

    return before


def changing(method, **fields):
    """Changes the fields of the answers to a method: removes those that are None."""
    changes = {name.replace("_", "-"): value for name, value in fields.items()}

    def after(request, answer):
        if request.method == method:
            answer[:] = [pair for pair in answer if pair[0].lower() not in changes]
            answer += [pair for pair in changes.items() if pair[1] is not None]

    return after
