"""What requests and httpx send reaches a server that verifies it."""

import asyncio
import hashlib
import pickle
import sys
import tempfile
import unittest
from unittest import mock

import httpx
import requests
from reference_server import ReferenceServer
from support import CREDENTIALS, ROOT

from framesign import RequestSigner, SigningError, httpx_auth, requests_auth, sha256_of

SIGNER = RequestSigner(CREDENTIALS, methods=["PATCH"])
TARGETS = ["/", "//a", "/a//b/../%2f%41%7e;x+y", "/q?b=1&a=x+y%2Bz&&k&=v&b=2"]
FIELDS = {"X-Note": "two  words", "Accept": "text/*"}


class Integration:
    """What both have to pass. `send` takes what `requests.request` does."""

    def setUp(self):
        self.server = ReferenceServer()
        self.server.__enter__()
        self.addCleanup(self.server.__exit__)

    def fields_of(self, answer):
        """The fields that the server received, of a request that it took."""
        self.assertEqual((answer.status_code, self.server.refusals), (200, []))
        return {name.lower(): value for name, value in answer.json()["fields"]}

    def test_methods_targets_and_bodies(self):
        for method in ("GET", "DELETE", "POST", "PUT", "PATCH", "OPTIONS"):
            for target in TARGETS:
                for body in (None, b"", b"hello", "hällo", b"\xff" * 100_000):
                    with self.subTest(method=method, target=target, body=body and body[:9]):
                        answer = self.send(method, target, body, FIELDS)
                        fields = self.fields_of(answer)
                        length = len(body.encode() if isinstance(body, str) else body or b"")
                        self.assertEqual(answer.json()["length"], length)
                        self.assertIn("content-digest", fields)
                        self.assertRegex(fields["dynata-nonce"], "^[0-9a-f]{32}$")
                        # A proxy drops it.
                        self.assertNotIn("connection", fields)

    def test_cookies_of_the_session_are_signed(self):
        self.assertNotIn("cookie", self.fields_of(self.send("GET", "/", None, {})))
        self.assertEqual(self.fields_of(self.send("GET", "/", None, {}))["cookie"], "taste=sweet")

    def test_file_from_its_position_on(self):
        with tempfile.TemporaryFile() as file:
            file.write(b"before" + b"x" * 1_000_000)
            file.seek(6)
            answer = self.send_file("PUT", "/", file)
            self.fields_of(answer)
            self.assertEqual(answer.json()["length"], 1_000_000)

    def test_chunked_body_is_an_error(self):
        with self.assertRaisesRegex(SigningError, "no known length"):
            self.send("PUT", "/", iter([b"chunk"]), {})

    def test_redirect_is_not_followed_or_refused(self):
        self.assertEqual(self.send("GET", "/moved", None, {}).status_code, 307)
        self.assertEqual(self.send_and_follow("/moved").status_code, 401)
        self.assertEqual(self.server.refusals, ["signature"])

    def test_the_host_of_the_caller_is_sent_and_signed(self):
        fields = self.fields_of(self.send("GET", "/", None, {"Host": "virtual.test"}))
        self.assertEqual(fields["host"], "virtual.test")

    def test_a_redirect_to_another_server_gets_no_signature_that_holds_there(self):
        with ReferenceServer() as other:
            self.server.before = lambda request: (307, [("Location", other.url + request.path)])
            for fields in ({}, {"Host": "virtual.test"}):
                self.assertEqual(self.send_and_follow("/", fields).status_code, 401)
            hosts = [request.fields["Host"] for request in other.requests]
            self.assertEqual(hosts, [other.url.removeprefix("http://")] * 2)
            self.assertEqual(other.refusals, ["signature"] * 2)


class Requests(Integration, unittest.TestCase):
    def setUp(self):
        super().setUp()
        self.session = requests.Session()
        self.session.auth = requests_auth.SigningAuth(SIGNER)
        self.addCleanup(self.session.close)

    def send(self, method, target, body, fields, **options):
        options = {"allow_redirects": False, **options}
        return self.session.request(method, self.server.url + target, data=body, headers=fields, **options)

    def send_file(self, method, target, file):
        return self.send(method, target, file, {})

    def send_and_follow(self, target, fields=None):
        return self.send("GET", target, None, fields, allow_redirects=True)

    def test_the_same_request_is_signed_again(self):
        request = requests.Request("PUT", self.server.url, data=b"hello")
        prepared = self.session.prepare_request(request)
        first = dict(prepared.headers)
        self.session.auth(prepared)
        changed = {name for name in first if first[name] != prepared.headers[name]}
        self.assertGreaterEqual(changed, {"dynata-nonce", "dynata-signature"})
        self.assertLessEqual(changed, {"dynata-nonce", "dynata-signature", "timestamp", "dynata-date"})
        self.fields_of(self.session.send(prepared))

    def test_the_host_of_the_caller_is_kept_when_the_request_is_signed_again(self):
        location = "http://another.test/"
        self.server.before = lambda _: (307, [("Location", location)]) if self.server.count("GET") == 1 else None
        request = requests.Request("GET", self.server.url, headers={"Host": "virtual.test"})
        prepared = self.session.prepare_request(request)
        # The redirect that may follow is made of the fields of this request.
        self.session.send(prepared, allow_redirects=False)
        self.session.auth(prepared)
        self.assertEqual(self.fields_of(self.session.send(prepared))["host"], "virtual.test")

    def test_the_host_follows_the_url_when_the_request_is_signed_again(self):
        prepared = self.session.prepare_request(requests.Request("GET", "http://another.test/"))
        prepared.url = self.server.url + "/"
        self.session.auth(prepared)
        host = self.server.url.removeprefix("http://")
        self.assertEqual(self.fields_of(self.session.send(prepared))["host"], host)

    def test_an_answer_to_a_signed_request_can_be_pickled(self):
        answer = pickle.loads(pickle.dumps(self.send("GET", "/", None, {})))
        self.assertIn("dynata-signature", answer.request.headers)

    def test_a_request_that_somebody_else_signed_is_an_error(self):
        with self.assertRaisesRegex(SigningError, "already"):
            self.send("GET", "/", None, {"Dynata-Date": "20230801"})

    def test_a_body_that_cannot_be_read_twice_is_an_error(self):
        with self.assertRaisesRegex(SigningError, "read twice"):
            self.send("PUT", "/", Once(), {})

    def test_an_empty_file_has_a_length(self):
        with tempfile.TemporaryFile() as file:
            answer = self.send_file("PUT", "/", file)
            self.assertEqual(self.fields_of(answer)["content-length"], "0")

    def test_a_file_that_was_sent_is_not_sent_again_without_its_bytes(self):
        with tempfile.TemporaryFile() as file:
            file.write(b"hello")
            file.seek(0)
            self.fields_of(self.send_file("PUT", "/", file))
            with self.assertRaisesRegex(SigningError, "seek to its start"):
                self.send_file("PUT", "/", file)
            file.seek(0)
            self.assertEqual(self.send_file("PUT", "/", file).json()["length"], 5)

    def test_url_with_user(self):
        url = self.server.url.replace("//", "//user:password@") + "/"
        answer = self.session.get(url)
        self.assertNotIn("@", self.fields_of(answer)["host"])


class Example(unittest.TestCase):
    @unittest.skipUnless(hasattr(hashlib, "file_digest"), "the example needs Python 3.11")
    def test_the_host_of_the_caller_is_sent_and_signed(self):
        keys = {"FRAMESIGN_ACCESS_KEY": CREDENTIALS.access_key, "FRAMESIGN_SECRET_KEY": CREDENTIALS.secret_key}
        with mock.patch("sys.path", [str(ROOT / "examples/clients"), *sys.path]), mock.patch.dict("os.environ", keys):
            from upload_requests import upload

            with ReferenceServer() as server, requests.Session() as session:
                session.headers["Host"] = "virtual.test"
                self.assertEqual(upload(session, __file__, f"{server.url}/files/it").status_code, 201)
                self.assertEqual([request.fields["Host"] for request in server.requests], ["virtual.test"])


class Signers(unittest.TestCase):
    def test_credentials_are_no_signer(self):
        for module in (requests_auth, httpx_auth):
            with self.assertRaisesRegex(TypeError, "give RequestSigner"):
                module.SigningAuth(CREDENTIALS)


class Once:
    """A body that has a length and cannot be rewound."""

    def __len__(self):
        return 5

    def __iter__(self):
        return iter([b"hello"])


class Httpx(Integration, unittest.TestCase):
    def setUp(self):
        super().setUp()
        self.client = httpx.Client(auth=httpx_auth.SigningAuth(SIGNER))
        self.addCleanup(self.client.close)

    def send(self, method, target, body, fields, **options):
        return self.client.request(method, self.server.url + target, content=body, headers=fields, **options)

    def send_file(self, method, target, file):
        extensions = {"framesign.sha256": sha256_of(file)}
        # httpx takes the length of the whole file, so it is set from the position on.
        length = {"Content-Length": str(1_000_000)}
        return self.send(method, target, file, length, extensions=extensions)

    def send_and_follow(self, target, fields=None):
        return self.send("GET", target, None, fields, follow_redirects=True)

    def test_a_request_is_signed_again_when_it_is_sent_again(self):
        request = self.client.build_request("PUT", self.server.url, content=b"hello")
        first = self.fields_of(self.client.send(request))
        second = self.fields_of(self.client.send(request))
        self.assertNotEqual(first["dynata-signature"], second["dynata-signature"])
        self.assertEqual(first.keys(), second.keys())

    def test_a_form_with_a_file_that_was_read(self):
        files = {"file": ("a.bin", b"hello")}
        with self.assertRaisesRegex(SigningError, r"request\.read\(\)"):
            self.client.post(self.server.url, files=files)
        request = self.client.build_request("POST", self.server.url, files=files)
        request.read()
        self.fields_of(self.client.send(request))

    def test_a_stream_without_hash_is_an_error(self):
        with tempfile.TemporaryFile() as file, self.assertRaisesRegex(SigningError, "framesign.sha256"):
            self.send("PUT", "/", file, {"Content-Length": "0"})


class AsyncHttpx(unittest.IsolatedAsyncioTestCase):
    async def test_bytes_and_a_stream(self):
        asyncio.get_running_loop().slow_callback_duration = 60  # The machine may be slow.
        data = b"x" * 300_000

        async def chunks():
            for at in range(0, len(data), 70_000):
                yield data[at : at + 70_000]

        with ReferenceServer() as server:
            async with httpx.AsyncClient(auth=httpx_auth.SigningAuth(SIGNER)) as client:
                answer = await client.put(server.url, content=data)
                self.assertEqual(answer.json()["length"], len(data))
                answer = await client.put(
                    server.url,
                    content=chunks(),
                    headers={"Content-Length": str(len(data))},
                    extensions={"framesign.sha256": hashlib.sha256(data).digest()},
                )
                self.assertEqual(answer.json()["length"], len(data))


if __name__ == "__main__":
    unittest.main()
