"""What the README shows runs as it stands there, in its order."""

import contextlib
import io
import os
import re
import tempfile
import unittest
from pathlib import Path

from reference_server import ReferenceServer

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


if __name__ == "__main__":
    unittest.main()
