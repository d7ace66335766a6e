"""The server that verifies, and the proxies in front of it, as processes that end with this one."""

import os
import socket
import subprocess
import threading
import time
from contextlib import contextmanager
from pathlib import Path

LOOPBACK = "127.0.0.1"
KEYS = {"FRAMESIGN_ACCESS_KEY": "access", "FRAMESIGN_SECRET_KEY": "secret"}
NGINX = Path("deploy/nginx/nginx.conf")
HAPROXY = Path("deploy/haproxy/uploads.cfg")


@contextmanager
def process(*command, **options):
    started = subprocess.Popen(command, env={**os.environ, **KEYS, **options.pop("env", {})}, **options)
    try:
        yield started
    finally:
        # nginx and HAProxy end their workers on SIGTERM, which they could not do on SIGKILL.
        started.terminate()
        try:
            started.wait(10)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


class Server:
    """examples/layer.rs, and what it has printed."""

    def __init__(self, started):
        # `listening on http://ADDR:PORT`
        self.port = int(started.stdout.readline().rpartition(":")[2])
        self.lines = []
        threading.Thread(target=lambda: self.lines.extend(started.stdout), daemon=True).start()

    def said(self, what, since, seconds=5):
        """Tells whether one of the lines after the first `since` ones has `what`, now or soon."""
        deadline = time.monotonic() + seconds
        while not any(what in line for line in self.lines[since:]):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True


@contextmanager
def server(programs, *added_fields):
    command = [programs / "examples/layer", f"{LOOPBACK}:0", *added_fields]
    with process(*command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as started:
        yield Server(started)


@contextmanager
def nginx(directory, server_port, change=None):
    """Gives its port."""
    port = free_port()
    text = changed(NGINX.read_text(), change)
    text = replaced(text, f"{LOOPBACK}:8000", f"{LOOPBACK}:{port}")
    configuration = directory / "nginx.conf"
    configuration.write_text(replaced(text, f"{LOOPBACK}:8080", f"{LOOPBACK}:{server_port}"))
    with process("nginx", "-p", directory, "-c", configuration, stderr=subprocess.DEVNULL) as started:
        until_it_listens(started, port)
        yield port


@contextmanager
def haproxy(directory, server_port, change=None):
    """Gives its port."""
    port = free_port()
    configuration = directory / "haproxy.cfg"
    configuration.write_text(changed(HAPROXY.read_text(), change))
    addresses = {"FRAMESIGN_FRONT": f"{LOOPBACK}:{port}", "FRAMESIGN_SERVER": f"{LOOPBACK}:{server_port}"}
    command = ["haproxy", "-db", "-q", "-f", configuration]
    with process(*command, env=addresses, stderr=subprocess.DEVNULL) as started:
        until_it_listens(started, port)
        yield port


def changed(text, change):
    return replaced(text, *change) if change else text


def replaced(text, old, new):
    """Removes comments first, as they may name what is replaced; keeps the lines marked `breaks:`."""
    lines = text.splitlines()
    kept = [line for line in lines if not line.lstrip().startswith("#") or "# breaks: " in line]
    text = "\n".join(kept) + "\n"
    if text.count(old) != 1:
        raise RuntimeError(f"expected `{old}` once in a configuration")
    return text.replace(old, new)


def free_port():
    with socket.create_server((LOOPBACK, 0)) as listener:
        return listener.getsockname()[1]


def until_it_listens(started, port, seconds=10):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and started.poll() is None:
        try:
            socket.create_connection((LOOPBACK, port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError(f"{started.args[0]} did not start")
