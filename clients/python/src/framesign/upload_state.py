"""The file that says where an upload is while it lasts. It holds no secret."""

from __future__ import annotations

import json
import os
import stat
import tempfile
from pathlib import Path
from typing import Callable

from .errors import UploadError

# Far more than a state has.
_MOST_BYTES = 64 * 1024


class UploadState:
    """The state of an upload to a URL with an access key. `path` is None if none is kept.

    How many bytes the server has is not in it: an answer can be lost, so the server is asked.
    """

    def __init__(
        self, path: str | os.PathLike[str] | None, url: str, access_key: str, stamp: list[int] | None
    ) -> None:
        self._path = None if path is None else Path(path)
        self._of = {"url": url, "access_key": access_key, "source": stamp}
        self._is_ours = False  # Whether what is at the path may be removed.

    def load(self) -> str | None:
        """The URL of the upload, if there is one."""
        if self._path is None or not os.path.lexists(self._path):
            return None
        try:
            state = json.loads(_read(self._path))
            location = state.pop("upload")
            self._is_ours = state.keys() == self._of.keys() and isinstance(location, str)
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
            pass
        if not self._is_ours:
            raise UploadError(
                f"{self._path} is not the state of an upload in a regular file that is yours and that "
                "nobody else can write: remove it, or name another one",
                can_be_resumed=False,
            )
        names = {"url": "URL", "access_key": "access key", "source": "source"}
        others = [name for key, name in names.items() if state[key] != self._of[key]]
        if others:
            raise UploadError(
                f"{self._path} is of another {' and '.join(others)}: remove it to begin anew",
                can_be_resumed=False,
            )
        return str(location)

    def save(self, location: str, notify: Callable[[str], object]) -> None:
        """Replaces the file in one step. Only its owner can read it."""
        if self._path is None:
            return
        try:
            number, draft = tempfile.mkstemp(prefix=".framesign-", dir=self._path.parent)
            try:
                with open(number, "w") as file:
                    json.dump({**self._of, "upload": location}, file)
                    file.flush()
                    os.fsync(number)
                os.replace(draft, self._path)
            except BaseException:
                os.unlink(draft)
                raise
        except OSError as error:
            notify(f"the upload cannot be resumed: its state cannot be written: {error}")
        else:
            self._is_ours = True

    def remove(self) -> None:
        """Removes the file, since the upload has ended."""
        if self._path is not None and self._is_ours:
            self._path.unlink(missing_ok=True)


def _read(path: Path) -> bytes:
    """The text of a file: not what a symbolic link names, and without waiting for the end of a FIFO."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    with open(os.open(path, flags), "rb") as file:
        status = os.fstat(file.fileno())
        is_own = not hasattr(os, "geteuid") or (status.st_uid == os.geteuid() and status.st_mode & 0o022 == 0)
        if not stat.S_ISREG(status.st_mode) or not is_own:
            raise PermissionError(path)
        return file.read(_MOST_BYTES)
