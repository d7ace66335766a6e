"""What the checks of the gateway have in common: signed uploads, programs that run, and nginx with WebDAV."""

import contextlib
import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "clients/python/src"))
from framesign import Credentials, RequestSigner

# As a user, the path may not have where nginx and HAProxy are installed.
os.environ["PATH"] += ":/usr/sbin"

HOST = "uploads.test"
ACCESS_KEY = "uploader"
SECRET_KEY = "the secret key of the uploader"

NGINX = """
daemon off;
pid {work}/nginx.pid;
error_log {work}/nginx.log;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {work}/nginx-bodies;
    proxy_temp_path {work}/nginx-proxy;
    fastcgi_temp_path {work}/nginx-fastcgi;
    uwsgi_temp_path {work}/nginx-uwsgi;
    scgi_temp_path {work}/nginx-scgi;
    client_max_body_size 0;
    server {{
        listen 127.0.0.1:{port};
        root {kept};
        location / {{ dav_methods PUT; }}
    }}
}}
"""


def nginx(work, port, kept):
    """The command of an nginx that keeps what is PUT to it in a folder."""
    (work / "nginx.conf").write_text(NGINX.format(work=work, port=port, kept=kept))
    # Its workers are another user, if this one is root.
    kept.chmod(0o777)
    work.chmod(0o755)
    return ["nginx", "-p", str(work), "-c", str(work / "nginx.conf"), "-e", str(work / "nginx.log")]


def write_secrets(folder):
    secrets = folder / "secrets.toml"
    secrets.write_text(f'{ACCESS_KEY} = ["{SECRET_KEY}"]\n')
    secrets.chmod(0o600)
    return secrets


def head(name, body, claims, host=HOST, secret_key=SECRET_KEY):
    signer = RequestSigner(Credentials(ACCESS_KEY, secret_key), content_digest=claims)
    return signer.sign_head(unsigned(name, body, host), hashlib.sha256(body).digest())


def unsigned(name, body, host=HOST):
    return f"PUT /{name} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n\r\n".encode()


def send(address, request):
    """Sends a request on a connection of its own, and returns the status of its answer."""
    with socket.create_connection(address, timeout=30) as connection:
        try:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            # A refusal came before the end.
            pass
        answer = b""
        with contextlib.suppress(ConnectionError):
            while piece := connection.recv(65536):
                answer += piece
    found = re.match(rb"HTTP/1\.1 (\d{3})", answer)
    return int(found[1]) if found else None


def ports_of(gateway):
    """The ports of callers and of operators, as a gateway prints them."""
    lines = [gateway.stdout.readline() for _ in range(2)]
    return [int(re.search(r"127\.0\.0\.1:(\d+)", line)[1]) for line in lines]


def metrics(admin):
    """The metrics at a port of operators."""
    return json.load(urllib.request.urlopen(f"http://127.0.0.1:{admin}/metrics"))


@contextlib.contextmanager
def running(command, **options):
    process = subprocess.Popen(list(map(str, command)), text=True, **options)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def wait_for(port):
    for _ in range(600):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.05)
    sys.exit(f"expected an upstream on port {port}, found none")


def expect(what, found, expected):
    if found != expected:
        sys.exit(f"{what}: expected {expected}, found {found}")


def expect_one_of(what, found, expected):
    if found not in expected:
        sys.exit(f"{what}: expected one of {expected}, found {found}")
