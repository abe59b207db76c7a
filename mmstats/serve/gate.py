"""Who may ask: the key of a request, and how often it may."""

import re

from starlette.requests import Request

from mmstats.api_keys import Key, read_key
from mmstats.serve.envelope import Refused
from mmstats.serve.keyring import Keyring
from mmstats.serve.rate import Buckets

_BEARER = re.compile(r"bearer +(\S.*)", re.IGNORECASE)
_SCOPE = "rk"
_ANYBODY = ""


class Gate:
    """Lets a request in or refuses it; without a keyring everybody may ask."""

    def __init__(self, keyring: Keyring | None, buckets: Buckets | None) -> None:
        self._keyring, self._buckets = keyring, buckets

    def admit(self, request: Request) -> None:
        """Let a request in that asks for events.

        Raises Refused for one without a key that is known here, TooOften for one whose key asks too often.
        """
        owner = self.check(request)
        if self._buckets:
            self._buckets.take(owner)

    def check(self, request: Request) -> str:
        """Whose key a request brings, by its prefix.

        Raises Refused for one without a key that is known here.
        """
        if self._keyring is None:
            return _ANYBODY
        key = _key_of(request.headers.getlist("authorization"))
        if key.kind != _SCOPE:
            raise Refused("insufficient_scope", headers=_challenge("insufficient_scope"))
        if not self._keyring.knows(key):
            raise Refused("invalid_api_key", headers=_challenge("invalid_token"))
        return key.prefix


def _key_of(headers: list[str]) -> Key:
    bearer = _BEARER.fullmatch(headers[0].strip()) if headers else None
    if bearer is None:
        raise Refused("missing_bearer_token", headers=_challenge())
    try:
        if len(headers) > 1:
            raise ValueError("must be one")
        return read_key(bearer[1])
    except ValueError:
        raise Refused("malformed_api_key", headers=_challenge("invalid_token")) from None


def _challenge(error: str = "") -> dict[str, str]:
    """What a client is to bring (RFC 6750)."""
    return {"WWW-Authenticate": 'Bearer realm="mmstats"' + (f', error="{error}"' if error else "")}
