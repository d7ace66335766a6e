"""Uploads a file with requests. Call: python3 upload_requests.py FILE URL"""

import hashlib
import sys
from urllib.parse import urlsplit

import requests
from signing import signed_fields


def upload(session, path, url):
    with open(path, "rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").digest()
        file.seek(0)
        # Everything that the session adds is added here: its own fields, cookies, Authorization.
        request = session.prepare_request(requests.Request("PUT", url, data=file))
        # All but Host, which the library below would add.
        request.headers.setdefault("Host", urlsplit(request.url).netloc.rpartition("@")[2])
        fields = request.headers.items()
        request.headers.update(signed_fields(request.method, request.path_url, fields, sha256))
        # A redirect would send the signature to another target.
        return session.send(request, allow_redirects=False)


if __name__ == "__main__":
    with requests.Session() as session:
        # It concerns one connection, so a proxy drops it.
        session.headers["Connection"] = None
        response = upload(session, *sys.argv[1:])
    print(response.status_code)
