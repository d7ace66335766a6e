"""The frames to be signed that schemathesis sends as message/http."""

import schemathesis
from hypothesis import strategies as st

methods = st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
targets = st.text("abz019-._~%/?&=+,;:@", max_size=40)
names = st.text("abzABZ019-_", min_size=1, max_size=20).map(lambda name: f"X-{name}")
values = st.text("abz019 ,;=\"'()\t", max_size=40)


@st.composite
def frames(draw):
    payload = draw(st.binary(max_size=200))
    lines = [f"{draw(methods)} /{draw(targets)} HTTP/1.1", "Host: test.com"]
    fields = draw(st.lists(st.tuples(names, values), max_size=5))
    lines += [f"{name}: {value}" for name, value in fields]
    lines += [f"Content-Length: {len(payload)}", "", ""]
    return "\r\n".join(lines).encode() + payload


schemathesis.openapi.media_type("message/http", frames())
