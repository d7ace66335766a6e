"""Uploads by common clients, and the heads that they send by default."""

import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager

from servers import KEYS, LOOPBACK

EXAMPLES = "examples/clients"
# The name of each client on the page, and the shortest upload it can make.
UNSAID = {
    "requests": [sys.executable, "-c", "import sys, requests; requests.put(sys.argv[1], data=b'hello')"],
    "httpx": [sys.executable, "-c", "import sys, httpx; httpx.put(sys.argv[1], content=b'hello')"],
    "fetch": ["node", "-e", "fetch(process.argv[1], { method: 'PUT', body: Buffer.from('hello') })"],
}


def uploads(programs, path, url, is_direct):
    """The name of each client, and the command by which it uploads."""
    yield "reqwest", [programs / "examples/upload", path, url]
    yield "requests", [sys.executable, f"{EXAMPLES}/upload_requests.py", path, url]
    yield "httpx", [sys.executable, f"{EXAMPLES}/upload_httpx.py", path, url]
    if shutil.which("node"):
        yield "fetch", ["node", f"{EXAMPLES}/upload_fetch.mjs", path, url, *(["direct"] if is_direct else [])]
        yield "node:http", ["node", f"{EXAMPLES}/upload_http.mjs", path, url]


def run(command):
    environment = {**os.environ, **KEYS, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, env=environment, timeout=60, check=True, capture_output=True, text=True)


def is_of_the_page(client):
    """Tells whether the client is installed in the version of the page. Python's clients are pinned."""
    if client != "fetch":
        return True
    return bool(shutil.which("node")) and run(["node", "--version"]).stdout.startswith("v20.")


def unsaid(client):
    """The head that a client sends."""
    command = UNSAID[client]
    with one_request() as (port, head):
        run([*command, f"http://{LOOPBACK}:{port}/up"])
    return head[0].replace(f"{LOOPBACK}:{port}", f"{LOOPBACK}:PORT")


@contextmanager
def one_request():
    """A port, and a list that gets the head of the one request that is sent there."""
    head = []

    def answer():
        connection, _ = listener.accept()
        with connection, connection.makefile("rb") as request:
            connection.settimeout(10)
            head.append("".join(iter(lambda: request.readline().decode("latin-1"), "\r\n")))
            request.read(int(re.search(r"(?i)^content-length: (\d+)", head[0], re.M).group(1)))
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    with socket.create_server((LOOPBACK, 0)) as listener:
        listener.settimeout(30)
        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield listener.getsockname()[1], head
        thread.join(10)
