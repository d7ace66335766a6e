"""Signed frames, and the answers to them."""

import os
import socket
import subprocess
from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256

from servers import KEYS, LOOPBACK

# Parts of a head that a proxy might normalize.
TARGET = "/a//b/../%41%2f%7e;x+y/./z?q=%2f%41+b&&k&q=2"
FIELDS = [
    ("Host", "Test.Example:8443"),
    ("X-Twice", "a"),
    ("x-twice", "b"),
    ("Accept", "text/plain"),
    ("Accept", "*/*"),
    ("X-Empty", ""),
    ("X-Spaces", "a  b"),
    ("x_underscore", "1"),
    ("x.dot", "1"),
    ("Cookie", "a=1; b=2"),
]


@dataclass
class Answer:
    status: int
    # By name in lower case.
    fields: dict


def signed(programs, payload, target=TARGET, more=()):
    """A PUT signed by `framesign sign --emit`, with the hash of its payload in the head."""
    digest = b64encode(sha256(payload).digest()).decode()
    fields = [*FIELDS, ("Content-Digest", f"sha-256=:{digest}:"), *more, ("Content-Length", str(len(payload)))]
    lines = [f"PUT {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields), "", ""]
    command = [programs / "framesign", "sign", "--emit"]
    frame = "\r\n".join(lines).encode() + payload
    return subprocess.run(command, input=frame, env={**os.environ, **KEYS}, check=True, capture_output=True).stdout


def send(port, frame):
    """The answer to a frame, also if it comes before the whole frame was sent."""
    with connect(port) as connection, connection.makefile("rb") as answers:
        try:
            connection.sendall(frame)
        except ConnectionError:
            pass
        return read_answer(answers)


def send_as_expected(port, frame):
    """The first and the last answer to a frame whose payload is sent if the first one is 100."""
    head, _, payload = frame.partition(b"\r\n\r\n")
    with connect(port) as connection, connection.makefile("rb") as answers:
        connection.sendall(head + b"\r\n\r\n")
        first = read_answer(answers)
        if first.status != 100:
            return first, first
        connection.sendall(payload)
        return first, read_answer(answers)


def connect(port):
    return socket.create_connection((LOOPBACK, port), 30)


def read_answer(answers):
    """An answer; its status is 0 if the connection ends without one."""
    try:
        status = answers.readline().split(b" ")
    except ConnectionError:
        status = []
    if len(status) < 2:
        return Answer(0, {})
    fields = {}
    while line := answers.readline().decode("latin-1").strip():
        name, _, value = line.partition(":")
        fields[name.lower()] = value.strip()
    return Answer(int(status[1]), fields)
