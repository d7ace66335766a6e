"""Signed frames, and what is answered to them."""

import os
import socket
import subprocess
from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256

from servers import KEYS, LOOPBACK

# What a proxy could take for something that it may tidy up.
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
    fields: dict


def signed(programs, payload, target=TARGET, more=()):
    """What `framesign sign --emit` makes of a PUT, and says its payload's hash in the head."""
    digest = b64encode(sha256(payload).digest()).decode()
    fields = [*FIELDS, ("Content-Digest", f"sha-256=:{digest}:"), *more, ("Content-Length", str(len(payload)))]
    lines = [f"PUT {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields), "", ""]
    command = [programs / "framesign", "sign", "--emit"]
    frame = "\r\n".join(lines).encode() + payload
    return subprocess.run(command, input=frame, env={**os.environ, **KEYS}, check=True, capture_output=True).stdout


def send(port, frame, seconds=30):
    """The answer to a frame. One that comes before all was sent counts as well."""
    with socket.create_connection((LOOPBACK, port), seconds) as connection:
        try:
            connection.sendall(frame)
        except ConnectionError:
            pass
        with connection.makefile("rb") as answers:
            while True:
                answer = read_answer(answers)
                if answer.status != 100:
                    return answer


def read_answer(answers):
    status = answers.readline().split(b" ")
    if len(status) < 2:
        raise ConnectionError("expected an answer, found the end of the connection")
    fields = {}
    while line := answers.readline().decode("latin-1").strip():
        name, _, value = line.partition(":")
        fields[name.lower()] = value.strip()
    return Answer(int(status[1]), fields)
