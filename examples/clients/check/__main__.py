"""Tries what docs/recipes.md says.

Call: python3 -B examples/clients/check PROGRAMS
"""

import signal
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import clients
import page
from frames import send, send_as_expected, signed
from servers import haproxy, nginx, server

MIB = 1 << 20
# The whole run, in seconds.
MOST = 300
LARGE_FIELD = ("X-Large", "x" * 15000)
FORWARDED = "x-forwarded-for"

# How each proxy is made to add that field.
FORWARDING = [
    (nginx, "# breaks: proxy_set_header", "proxy_set_header"),
    (haproxy, "# breaks: option forwardfor", "option forwardfor"),
]
# Each line of a configuration that signed requests need, its replacement, the frame that is sent, and the
# answer: the server's refusal, or an answer of the proxy itself.
SMALL, LARGE, LARGE_HEAD, EXPECTS = "small", "large", "large head", "expects"
CHANGES = [
    *((*change, SMALL, 401) for change in FORWARDING),
    (nginx, "proxy_set_header Host $http_host;", "", SMALL, 401),
    (nginx, "proxy_set_header Connection '';", "", SMALL, 401),
    (nginx, "ignore_invalid_headers off;", "", SMALL, 401),
    (nginx, "ignore_invalid_headers off;", "underscores_in_headers on;", SMALL, 401),
    (nginx, "proxy_pass http://127.0.0.1:8080;", "proxy_pass http://127.0.0.1:8080/;", SMALL, 401),
    (nginx, "client_max_body_size 0;", "", LARGE, 413),
    (nginx, "large_client_header_buffers 4 16k;", "", LARGE_HEAD, 400),
    (haproxy, "pool-max-conn 0", "\n    option http-server-close", SMALL, 401),
    (haproxy, "tune.bufsize 66560", "", LARGE_HEAD, 400),
]


def main(programs):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("check-recipes: ended from outside"))
    signal.signal(signal.SIGALRM, lambda *_: sys.exit(f"check-recipes: took more than {MOST} s"))
    signal.alarm(MOST)
    programs = Path(programs)
    frames = {
        SMALL: signed(programs, b"hello"),
        LARGE: signed(programs, b"\xa5" * (8 * MIB)),
        LARGE_HEAD: signed(programs, b"hello", more=[LARGE_FIELD] * 3),
        EXPECTS: signed(programs, b"\xa5" * (8 * MIB), more=[("Expect", "100-continue")]),
    }
    page_is_true()
    with server(programs) as verifying:
        for proxy in (direct, nginx, haproxy):
            with temporary() as directory, proxy(directory, verifying.port) as port:
                accepted(proxy.__name__, port, verifying, frames)
                refused(proxy.__name__, port, verifying, frames)
                refused_early(proxy.__name__, port, verifying, frames)
                waits_for_the_head(proxy.__name__, port, verifying, frames)
                from_clients(programs, directory, port, proxy is direct)
        changes(verifying, frames)
    with server(programs, FORWARDED) as verifying:
        removed_before_verifying(verifying, frames)


@contextmanager
def direct(_, port):
    yield port


@contextmanager
def temporary():
    with tempfile.TemporaryDirectory() as directory:
        # nginx runs its workers as another user, who needs access to their files.
        Path(directory).chmod(0o755)
        yield Path(directory)


def page_is_true():
    for block in page.not_from_a_file():
        sys.exit(f"check-recipes: expected the code of the page in the files that are run, found:\n{block}")
    for client in clients.UNSAID:
        if not clients.is_of_the_page(client):
            print(f"page: {client} is not here in the version of the page, so its head is not compared")
            continue
        shown, sent = page.head_of(client), clients.unsaid(client)
        expect(f"page: the head of {client} is shown as it was sent:\n{sent}", shown == sent)


def accepted(way, port, verifying, frames):
    for name in (SMALL, LARGE, LARGE_HEAD):
        since = len(verifying.lines)
        answer = send(port, frames[name])
        expect(f"{way}: {name} is accepted, answer {answer.status}", answer.status == 201)
        expect(f"{way}: {name} is verified", verifying.said("verified: ", since))


def refused(way, port, verifying, frames):
    frame = frames[SMALL]
    for what, changed, reason in [
        ("a changed field", frame.replace(b"a  b", b"a b"), "signature"),
        ("a changed payload", frame.replace(b"hello", b"hellO"), "digest"),
        ("a changed large payload", frames[LARGE][:-1] + b"x", "digest"),
    ]:
        since = len(verifying.lines)
        answer = send(port, changed)
        expect(f"{way}: {what} is refused, answer {answer.status}", answer.status == 401)
        expect(f"{way}: {what} has a challenge", answer.fields.get("www-authenticate") == "framesign")
        expect(f"{way}: {what} is refused for its {reason}", verifying.said(f"refused: {reason}", since))


def refused_early(way, port, verifying, frames):
    """The server does not read what it has refused at the head, so a proxy may lose the answer."""
    since = len(verifying.lines)
    status = send(port, frames[LARGE].replace(b"a  b", b"a b")).status
    expected = {"direct": [401], "nginx": [401, 502], "haproxy": [401, 0]}[way]
    expect(f"{way}: a wrong signature of a large upload is refused, answer {status}", status in expected)
    expect(f"{way}: the server says why", verifying.said("refused: signature", since))


def waits_for_the_head(way, port, verifying, frames):
    """With `Expect: 100-continue` no answer is lost, but nginx answers by itself and drops the field."""
    since = len(verifying.lines)
    first, last = (answer.status for answer in send_as_expected(port, frames[EXPECTS]))
    expected = [401, 502] if way == "nginx" else [201]
    expect(f"{way}: `Expect: 100-continue` is answered, answers {first} and {last}", first == 100 and last in expected)
    if way != "nginx":
        first, _ = send_as_expected(port, frames[EXPECTS].replace(b"a  b", b"a b"))
        expect(f"{way}: it is refused before the payload, answer {first.status}", first.status == 401)
        expect(f"{way}: the server says why", verifying.said("refused: signature", since))


def from_clients(programs, directory, port, is_direct):
    file = directory / "upload"
    file.write_bytes(b"\xa5" * (2 * MIB))
    url = f"http://127.0.0.1:{port}/some//%41%2fpath;x/?q=a+b&k&q=%C3%A4"
    for name, command in clients.uploads(programs, file, url, is_direct):
        answer = clients.run(command).stdout.strip()
        # The example of reqwest prints nothing, and fails unless it is accepted.
        expect(f"port {port}: {name} is accepted, answer {answer or 201}", answer in ("", "201"))


def changes(verifying, frames):
    for proxy, line, instead, name, status in CHANGES:
        with temporary() as directory, proxy(directory, verifying.port, (line, instead)) as port:
            since = len(verifying.lines)
            answer = send(port, frames[name])
        what = f"{proxy.__name__}: {instead.strip() or 'nothing'} for {line},"
        expect(f"{what} is refused with {status}, answer {answer.status}", answer.status == status)
        if status == 401:
            expect(f"{what}: the server says why", verifying.said("refused: signature", since))


def removed_before_verifying(verifying, frames):
    for proxy, line, instead in FORWARDING:
        with temporary() as directory, proxy(directory, verifying.port, (line, instead)) as port:
            since = len(verifying.lines)
            answer = send(port, frames[SMALL])
        expect(f"{proxy.__name__}: {FORWARDED} is removed, answer {answer.status}", answer.status == 201)
        expect(f"{proxy.__name__}: {FORWARDED} is known", verifying.said(f"{FORWARDED}: ", since))


def expect(what, holds):
    if not holds:
        sys.exit(f"check-recipes: not so: {what}")
    print(what.partition("\n")[0].rstrip(":"), flush=True)


main(*sys.argv[1:])
