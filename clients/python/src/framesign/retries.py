"""What is sent again, how often, and after which pause."""

from __future__ import annotations

import random
import ssl
import time
from dataclasses import dataclass
from typing import Callable

from .answer import Answer
from .connection import Broken
from .errors import UploadError

# Failures that pass, as does every answer with Retry-After.
_PASSING = (408, 425, 429, 500, 502, 503, 504)
# What a server answers to a request with a flipped bit in it, and to one that is wrong.
_REFUSALS = (400, 401, 404, 405, 409, 411, 413, 414, 415, 417, 431, 501, 505)

_FIRST_PAUSE = 0.5


@dataclass(frozen=True)
class Retries:
    """How often a request that failed is sent again, and for how many seconds."""

    retries: int
    damaged_retries: int
    longest_pause: float
    retry_for: float
    notify: Callable[[str], object]


class Attempts:
    """The attempts since the server had more than before."""

    def __init__(self, retries: Retries) -> None:
        self._retries = retries
        self._failures = 0
        self._refusals = 0
        self._since: float | None = None

    def send(self, send: Callable[[], Answer], is_accepted: bool) -> Answer | None:
        """The answer, or None after a pause if another attempt may have another one.

        `is_accepted`: whether the server has accepted a request with this key. Before that it may
        rightly refuse, and one further attempt is made. An answer that completes the upload is final.
        """
        try:
            answer = send()
        except ssl.SSLCertVerificationError as error:
            raise UploadError(
                f"the certificate of the server is not trusted ({error.verify_message}): give a `context` that "
                "trusts its authority, or check the URL"
            ) from error
        except Broken as error:
            self.pause(f"no answer of the server: {error!r}")
            return None
        if answer.is_success or answer.is_complete:
            return answer
        retry_after = answer.retry_after(time.time())
        if retry_after is None and answer.status in _REFUSALS:
            self._refusals += 1
            most = self._retries.damaged_retries if is_accepted else min(1, self._retries.damaged_retries)
            pause = self._next_pause(0)
            if pause is None or self._refusals > most:
                return answer
            self._wait(f"the server answered {answer.problem}", pause)
            return None
        if retry_after is None and answer.status not in _PASSING:
            return answer
        self.pause(f"the server answered {answer.problem}", retry_after or 0, answer.status)
        return None

    def pause(self, problem: str, at_least: float = 0, status: int | None = None) -> None:
        """Waits before the next attempt. Raises an UploadError if there is to be none."""
        pause = self._next_pause(at_least)
        if pause is None:
            raise UploadError(f"{problem}; gave up after {self._failures} failures", status)
        self._wait(problem, pause)

    def _next_pause(self, at_least: float) -> float | None:
        """A random part of a time that doubles ("full jitter"), or what the server asks for, if longer."""
        self._failures += 1
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        longest = min(self._retries.longest_pause, _FIRST_PAUSE * 2 ** min(self._failures - 1, 16))
        pause = max(random.uniform(0, longest), at_least)
        is_in_time = now - self._since + pause <= self._retries.retry_for
        return pause if self._failures <= self._retries.retries and is_in_time else None

    def _wait(self, problem: str, pause: float) -> None:
        self._retries.notify(f"{problem}; trying again in {pause:.1f} s")
        time.sleep(pause)
