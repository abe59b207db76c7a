"""Who may ask, and how often: the API keys the server knows, the key of a request, and a rate limit for each key."""

import math
import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from starlette.requests import Request

from mmstats.api_keys import Key, KeyFile, StoredKey, new_key, read_key
from mmstats.errors import MmstatsError
from mmstats.serve.errors import ApiError
from mmstats.serve.log import Log
from mmstats.serve.options import Rate

_BEARER = re.compile(r"bearer +(\S.*)", re.IGNORECASE)
_READ_KIND = "rk"


class Keyring:
    """The keys of the key file, read again whenever it changes, and those given to this run."""

    def __init__(self, file: KeyFile, given: Sequence[Key], log: Log) -> None:
        self._file, self._log = file, log
        self._given = tuple(StoredKey.of(key, None, datetime.now(UTC)) for key in given)
        self._by_prefix: dict[str, list[StoredKey]] = {}
        self._file_version: object = ()
        self._fault = ""
        self._decoy = StoredKey.of(new_key(), None, datetime.now(UTC))

    def knows(self, key: Key) -> bool:
        """Whether it is one of the keys; takes as long for a prefix that is unknown as for one that is not."""
        self._reload()
        candidates = self._by_prefix.get(key.prefix) or [self._decoy]
        matches = [stored.matches(key) for stored in candidates]
        return any(matches) and candidates != [self._decoy]

    def _reload(self) -> None:
        """Read the key file again if it changed."""
        version = self._version()
        if version == self._file_version:
            return
        try:
            stored = self._file.read()
            self._file_version, fault = version, ""
        except MmstatsError as error:  # a file that cannot be read lets nobody in; the next request tries it again
            stored, fault = (), error.message
        if fault and fault != self._fault:
            self._log.error("keys", message=fault)
        self._fault = fault
        self._by_prefix = {}
        for key in (*self._given, *stored):
            self._by_prefix.setdefault(key.prefix, []).append(key)

    def _version(self) -> object:
        """What changes whenever the key file is written."""
        try:
            status = self._file.path.stat()
        except OSError as error:
            return error.errno
        return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def authenticate(request: Request, keyring: Keyring | None) -> str:
    """The prefix of the request's key; empty without a keyring, when nobody needs a key.

    Raises ApiError for a request without a key that is known here.
    """
    if keyring is None:
        return ""
    headers = request.headers.getlist("authorization")
    bearer = _BEARER.fullmatch(headers[0].strip()) if headers else None
    if bearer is None:
        raise _refusal("missing_bearer_token")
    if len(headers) > 1:
        raise _refusal("malformed_api_key", "invalid_token")
    try:
        key = read_key(bearer[1])
    except ValueError:
        raise _refusal("malformed_api_key", "invalid_token") from None
    if key.kind != _READ_KIND:
        raise _refusal("insufficient_scope", "insufficient_scope")
    if not keyring.knows(key):
        raise _refusal("invalid_api_key", "invalid_token")
    return key.prefix


def _refusal(code: str, bearer_error: str = "") -> ApiError:
    """An error that says which kind of credentials is needed (RFC 6750)."""
    challenge = 'Bearer realm="mmstats"' + (f', error="{bearer_error}"' if bearer_error else "")
    return ApiError(code, headers={"WWW-Authenticate": challenge})


class RateLimiter:
    """A token bucket for each key: full at first, refilled at the rate, and one token a request."""

    def __init__(self, rate: Rate) -> None:
        self._capacity = rate.requests
        self._per_second = rate.requests / rate.seconds
        self._buckets: dict[str, tuple[float, float]] = {}  # tokens, and when they were counted

    def take(self, owner: str) -> None:
        """Take one token of the owner's; raises ApiError when there is none."""
        now = time.monotonic()
        tokens, at = self._buckets.get(owner, (float(self._capacity), now))
        tokens = min(self._capacity, tokens + (now - at) * self._per_second)
        if tokens < 1:
            wait = max(1, math.ceil((1 - tokens) / self._per_second))
            raise ApiError("rate_limited", extra={"retry_after_s": wait}, headers={"Retry-After": str(wait)})
        self._buckets[owner] = (tokens - 1, now)
