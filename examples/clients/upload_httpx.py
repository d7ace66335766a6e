"""Uploads a file with httpx. Call: python3 upload_httpx.py FILE URL"""

import hashlib
import sys

import httpx
from signing import signed_fields


def upload(client, path, url):
    with open(path, "rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").digest()
        file.seek(0)
        # Everything that the client adds is added here, Host and cookies as well.
        request = client.build_request("PUT", url, content=file)
        # It concerns one connection, so a proxy drops it.
        del request.headers["Connection"]
        target, fields = request.url.raw_path.decode(), request.headers.multi_items()
        request.headers.update(signed_fields(request.method, target, fields, sha256))
        # A redirect would send the signature to another target.
        return client.send(request, follow_redirects=False)


if __name__ == "__main__":
    with httpx.Client() as client:
        response = upload(client, *sys.argv[1:])
    print(response.status_code)
