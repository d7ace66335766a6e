"""A server on loopback that verifies every request, takes uploads in parts, and fails when it is told to.

`/files/NAME` takes uploads, `/uploads/N` is one while it lasts; every other path is answered once the
request is verified. Each entry of `faults` is the fault of one request with a payload:

    cut      half of the payload is read, then the connection is reset
    early    the head is answered by 503 and the connection closed, the payload unread
    gone     the same with 410
    503      the payload is read and dropped, the answer is 503
    later    the same with Retry-After: 1
    busy     the same with 409 and Retry-After, as while another request goes on
    refused  the same with 403 and problem details
    flip     a bit of the payload flips on the way
    lost     the request is served, and its answer lost
    partial  half of the part is kept, then the connection is closed
    104      an interim answer comes first

`before` is called with each request, and may give an answer in place of the server's: status, fields and
body. `after` is called with each request and the fields of its answer, and may change them.
"""

import hashlib
import json
import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

from support import CREDENTIALS

from framesign import Policy, Refusal, Rules, check_request, content_digest
from framesign.structured_fields import claimed_sha256

POLICY = Policy(rules=Rules(strict=True, methods=frozenset({b"PATCH"})), max_payload_without_digest=0)


class ReferenceServer(ThreadingHTTPServer):
    """Started and stopped by `with`."""

    daemon_threads = True

    def __init__(self, takes_parts=True, limits="min-size=0"):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.takes_parts, self.limits = takes_parts, limits
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.faults, self.seen, self.refusals, self.signatures = [], [], [], set()
        self.uploads, self.files, self.other_digest, self.other_origin = {}, {}, None, ""
        self.before, self.after, self.requests = lambda _: None, lambda *_: None, []

    def count(self, method):
        """How many requests of this method have come."""
        return sum(request.method == method for request in self.requests)

    def __enter__(self):
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    def handle_error(self, *_):
        """Connections that a client has closed are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 20
    disable_nagle_algorithm = True  # Head and body of an answer are two writes.

    def log_message(self, *_):
        pass

    def serve(self):
        length = int(self.headers.get("Content-Length", 0))
        fault = self.server.faults.pop(0) if self.server.faults and length else None
        self.server.seen.append((self.command, self.path, length))
        self.request_seen = SimpleNamespace(
            method=self.command, path=self.path, fields=self.headers, length=length, socket=self.connection
        )
        self.server.requests.append(self.request_seen)
        if fault in ("early", "gone"):
            return self.fail(503 if fault == "early" else 410)
        payload = bytearray(self.rfile.read(length // 2 if fault == "cut" else length))
        if fault == "cut":
            return self.reset()
        if scripted := self.server.before(self.request_seen):
            return self.answer(*scripted)
        if fault in ("503", "later"):
            return self.answer(503, [("Retry-After", str(int(fault == "later")))])
        if fault == "busy":
            return self.answer(409, [("Retry-After", "0")])
        if fault == "refused":
            return self.answer(403, [("Content-Type", "application/problem+json")], b'{"detail":"quota"}')
        if fault == "flip":
            payload[len(payload) // 2] ^= 4
        try:
            target = self.requestline.split()[1]  # `path` has one slash where the target begins with several.
            pending = check_request(self.command, target, self.headers.items(), self.secrets(), POLICY)
            pending.update(payload)
            pending.finish()
        except Refusal as refusal:
            self.server.refusals.append(str(refusal))
            return self.fail(refusal.status)
        signature = self.headers["dynata-signature"]
        if signature in self.server.signatures:  # Section 10.
            self.server.refusals.append("replayed")
            return self.fail(409)
        self.server.signatures.add(signature)
        return self.route(payload, fault)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = serve

    def secrets(self):
        return {CREDENTIALS.access_key: [CREDENTIALS.secret_key]}

    def route(self, payload, fault):
        if self.path.startswith("/moved"):
            return self.answer(307, [("Location", "/elsewhere")])
        if not self.path.startswith(("/files/", "/uploads/")):
            facts = {"length": len(payload), "fields": self.headers.items()}
            return self.answer(200, [("Set-Cookie", "taste=sweet")], json.dumps(facts).encode())
        if self.command == "OPTIONS":
            return self.answer(204, [("Upload-Limit", self.server.limits)] * self.server.takes_parts)
        if self.path.startswith("/files/"):
            if self.command == "PUT" or not self.server.takes_parts:
                self.server.files[self.path] = bytes(payload)
                return self.answer(201)
            upload = SimpleNamespace(path=self.path, data=bytearray(), is_complete=False, status=201)
            upload.location = f"/uploads/{len(self.server.uploads)}"
            self.server.uploads[upload.location] = upload
        else:
            upload = self.server.uploads.get(self.path)
            if upload is None:
                return self.answer(404)
        if self.command == "DELETE":
            del self.server.uploads[self.path]
            return self.answer(204)
        if self.command == "HEAD":
            return self.answer_upload(204, upload)
        if self.command == "PATCH" and int(self.headers["Upload-Offset"]) != len(upload.data):
            return self.answer_upload(409, upload)
        return self.append(upload, payload, fault)

    def append(self, upload, payload, fault):
        upload.data += payload[: len(payload) // 2] if fault == "partial" else payload
        upload.is_complete = self.headers["Upload-Complete"] == "?1" and fault != "partial"
        if fault == "104":
            interim = f"Upload-Offset: {len(upload.data)}\r\nUpload-Draft-Interop-Version: 8"
            self.wfile.write(f"HTTP/1.1 104 Upload Resumption Supported\r\n{interim}\r\n\r\n".encode())
        if upload.is_complete:
            claimed = claimed_sha256([self.headers.get("Repr-Digest", "").encode()])
            if claimed != hashlib.sha256(upload.data).digest():
                del self.server.uploads[upload.location]
                return self.answer(400, [("Upload-Complete", "?1")])
            self.server.files[upload.path] = bytes(upload.data)
        if fault in ("lost", "partial"):
            return self.reset() if fault == "lost" else self.close_now()
        return self.answer_upload(201 if self.command == "POST" else 204, upload)

    def answer_upload(self, status, upload):
        fields = [("Upload-Offset", len(upload.data)), ("Upload-Complete", f"?{upload.is_complete:d}")]
        fields.append(("Upload-Limit", self.server.limits))
        if self.command == "POST":
            fields.append(("Location", self.server.other_origin + upload.location))
        if upload.is_complete:
            sha256 = self.server.other_digest or hashlib.sha256(upload.data).digest()
            fields.append(("Repr-Digest", content_digest(sha256)))
        self.answer(status, fields)

    def answer(self, status, fields=(), body=b""):
        fields = [(name, str(value)) for name, value in fields]
        self.server.after(self.request_seen, fields)
        self.send_response(status)
        for name, value in fields:
            self.send_header(name, value)
        if status != 204 and "Content-Length" not in dict(fields):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def fail(self, status):
        self.close_connection = True
        self.answer(status, [("Connection", "close")])

    def reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_now()

    def close_now(self):
        self.close_connection = True
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_WR)
