"""The code and the heads that docs/recipes.md shows."""

import re
from pathlib import Path

PAGE = Path("docs/recipes.md")
SHOWN = {
    "nginx": ["deploy/nginx/nginx.conf"],
    "haproxy": ["deploy/haproxy/uploads.cfg"],
    "python": ["examples/clients/upload_requests.py", "examples/clients/upload_httpx.py"],
    "js": ["examples/clients/upload_fetch.mjs", "examples/clients/upload_http.mjs"],
}


def blocks(language):
    """The blocks of code in a language: the word after the language, and the code."""
    return re.findall(rf"^```{language}(?: ([^\n]*))?\n(.*?)^```$", PAGE.read_text(), re.M | re.S)


def not_from_a_file():
    """The blocks that are not part of the files that are tried."""
    for language, files in SHOWN.items():
        texts = [code_of(Path(file).read_text()) for file in files]
        found = blocks(language)
        if not found:
            yield f"no block of {language}"
        for _, block in found:
            if not any(code_of(block) in text for text in texts):
                yield block


def head_of(client):
    """The head that the page shows for a client, with the line ends that it was sent with."""
    shown = [block for name, block in blocks("http") if name == client]
    return shown[0].replace("\n", "\r\n") if shown else None


def code_of(text):
    """The lines without margin, comments and empty lines."""
    lines = [line.strip() for line in text.splitlines()]
    return "\n".join(line for line in lines if line and not re.match(r"(#|//) (?!breaks:)", line))
