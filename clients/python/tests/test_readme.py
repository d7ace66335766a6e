"""What the README shows runs as it stands there, in its order."""

import contextlib
import hashlib
import http.client
import io
import os
import re
import tempfile
import threading
import unittest
from http.server import HTTPServer
from pathlib import Path

from reference_server import ReferenceServer

from framesign import Credentials, RequestSigner

README = Path(__file__).parents[1] / "README.md"


class Readme(unittest.TestCase):
    def test_every_example_runs(self):
        examples = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
        self.assertEqual(len(examples), 7)
        before = os.getcwd()
        self.addCleanup(os.chdir, before)
        with tempfile.TemporaryDirectory() as folder, ReferenceServer() as server:
            os.chdir(folder)
            Path("report.pdf").write_bytes(b"a report")
            Path("big.bin").write_bytes(b"x" * 100_000)
            # The second attempt of the loop is the one that succeeds.
            failures = [503]
            server.before = lambda request: (
                (failures.pop(),) if failures and request.path == "/files/report-3.pdf" else None
            )
            for example in examples:
                code = example.replace("http://127.0.0.1:8080", server.url)
                with self.subTest(example=example), contextlib.redirect_stdout(io.StringIO()):
                    exec(compile(code, "README.md", "exec"), {"__name__": "readme"})
            self.assertEqual((server.refusals, failures), ([], []))
            os.chdir(before)
        names = {Path(path).name for path in server.files}
        self.assertEqual(names, {"report.pdf", "hello.txt", "report-2.pdf", "report-3.pdf", "big.bin"})

    def test_the_handler_takes_what_is_signed_and_challenges_the_rest(self):
        (example,) = re.findall(r"```python\n(from http\.server .*?)```", README.read_text(), re.DOTALL)
        found = {}
        exec(compile(example, "README.md", "exec"), found)
        signer = RequestSigner(Credentials("access", "secret"))
        with HTTPServer(("127.0.0.1", 0), found["Handler"]) as server, contextlib.ExitStack() as until_the_end:
            until_the_end.enter_context(contextlib.redirect_stderr(io.StringIO()))
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
            until_the_end.callback(server.shutdown)
            for target in ("/a", "//a", "/%2fa?b=1&a=x+y"):
                answer = put(server, target, signer)
                self.assertEqual((answer.status, answer.getheader("WWW-Authenticate")), (200, None), target)
            answer = put(server, "/a", RequestSigner(Credentials("access", "another")))
            self.assertEqual((answer.status, answer.getheader("WWW-Authenticate")), (401, "framesign"))


def put(server, target, signer):
    """The answer of a server to a signed request."""
    body = b"hello"
    connection = http.client.HTTPConnection(*server.server_address, timeout=10)
    fields = {"Host": "test.com", "Content-Length": str(len(body))}
    fields.update(signer.sign("PUT", target, fields.items(), hashlib.sha256(body).digest()))
    with contextlib.closing(connection):
        connection.putrequest("PUT", target, skip_host=True, skip_accept_encoding=True)
        for name, value in fields.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        answer.read()
        return answer


if __name__ == "__main__":
    unittest.main()
