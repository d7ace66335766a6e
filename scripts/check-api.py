"""What a schema cannot tell schemathesis: frames for message/http, signatures, and what is there."""

import itertools
import os
from datetime import datetime, timezone

import requests
import schemathesis
from framesign import Credentials, FrameError, RequestSigner, SigningError
from framesign.requests_auth import SigningAuth
from hypothesis import strategies as st

methods = st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
targets = st.text("abz019-._~%/?&=+,;:@", max_size=40)
names = st.text("abzABZ019-_", min_size=1, max_size=20).map(lambda name: f"X-{name}")
values = st.text("abz019 ,;=\"'()\t", max_size=40)

credentials = Credentials("check-api", os.environ["CHECK_API_SECRET_KEY"])
signing = SigningAuth(RequestSigner(credentials, methods=["PATCH"]))
calls = itertools.count()


@st.composite
def frames(draw):
    payload = draw(st.binary(max_size=200))
    lines = [f"{draw(methods)} /{draw(targets)} HTTP/1.1", "Host: test.com"]
    fields = draw(st.lists(st.tuples(names, values), max_size=5))
    lines += [f"{name}: {value}" for name, value in fields]
    lines += [f"Content-Length: {len(payload)}", "", ""]
    return "\r\n".join(lines).encode() + payload


schemathesis.openapi.media_type("message/http", frames())
schemathesis.serializer.alias("application/partial-upload", "application/octet-stream")


class Signed(requests.auth.AuthBase):
    """Signs what can be signed. The rest is sent as it is, and must be refused."""

    def __call__(self, request):
        # What the document makes schemathesis guess.
        request.headers.pop("dynata-signature", None)
        try:
            return signing(request)
        except (FrameError, SigningError):
            return request


schemathesis.auth.set_from_requests(Signed()).apply_to(path_regex="^/(files|uploads)/")


class Bearer(requests.auth.AuthBase):
    """The token of the caller."""

    def __call__(self, request):
        request.headers["Authorization"] = f"Bearer {os.environ['CHECK_API_TOKEN']}"
        return request


schemathesis.auth.set_from_requests(Bearer()).apply_to(path_regex="^/(token|sign|verify|keys)")


@schemathesis.hook
def filter_case(context, case):
    """Leaves out what a schema knows too little of.

    Fields that a document does not name are sent by every client, and are nothing to refuse. An
    Upload-Length that is made up contradicts the content, and is refused.
    """
    headers = case.headers or {}
    made_up = str(headers.get("Upload-Length", "")).strip().isdigit()
    return not made_up and "x-schemathesis-unknown-property" not in headers


@schemathesis.hook
def before_call(context, case, kwargs):
    """Every other request for an upload or a key is for one that is there."""
    if case.path not in THERE or next(calls) % 2:
        return
    case.path_parameters.update(THERE[case.path]())


def key():
    return {"access_key": "check-api", "date": f"{datetime.now(timezone.utc):%Y%m%d}"}


def upload():
    created = requests.post(
        f"{os.environ['CHECK_API_URL']}/files/check-{next(calls)}",
        auth=signing,
        headers={"Upload-Complete": "?0"},
        timeout=10,
    )
    assert created.status_code == 201, created.text
    return {"id": created.headers["Location"].rpartition("/")[2]}


THERE = {"/keys/{access_key}/{date}": key, "/uploads/{id}": upload}
