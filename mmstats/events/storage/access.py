"""How an object store is reached, for whoever lists and reads here and for the engine alike: one identity for both."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING, Any

from mmstats.errors import InvalidSettings

if TYPE_CHECKING:
    from obstore.store import ObjectStore

# Refused connections end within a second, and a store that stays silent within half a minute for each try.
_RETRIES, _FIRST_WAIT, _LONGEST_WAIT, _RETRY_SECONDS = 3, 100, 1000, 60
_CLIENT = {"connect_timeout": "5s", "read_timeout": "10s", "timeout": "300s"}
_RETRY_OPTIONS = ("max_retries", "retry_timeout_ms", "retry_init_backoff_ms", "retry_max_backoff_ms")
_CLIENT_OPTIONS = (
    *_CLIENT, "allow_http", "allow_invalid_certificates", "pool_idle_timeout", "proxy_url", "proxy_ca_certificate",
    "proxy_excludes", "user_agent",
)  # fmt: skip

_ENDPOINT = "AWS_ENDPOINT_URL_S3"
_ACCOUNT = "AZURE_STORAGE_ACCOUNT_NAME or --storage-option account_name=NAME names the account"
ENVIRONMENT = Lock()  # held by whoever asks or changes what the environment says of AWS


@dataclass(frozen=True, slots=True)
class Keys:
    """A pair of keys, and until when it is good; never shown."""

    access: str = field(repr=False)
    secret: str = field(repr=False)
    token: str | None = field(default=None, repr=False)
    until: datetime | None = None


@dataclass(frozen=True)
class Access:
    """How one bucket, container or server is reached.

    `options` are by their names in the libraries, without keys, which are asked of `keys` whenever they are used; `at`
    tells apart the stores of different endpoints.
    """

    root: str
    options: Mapping[str, str] = field(repr=False)
    keys: Callable[[], Keys] | None = field(default=None, repr=False)
    at: str = ""

    def store(self) -> "ObjectStore":
        """The library's store, for listing and reading.

        Raises InvalidSettings for an option that it does not know.
        """
        from obstore.exceptions import BaseError
        from obstore.store import from_url

        own = {name: value for name, value in self.options.items() if name not in (*_CLIENT_OPTIONS, *_RETRY_OPTIONS)}
        how: dict[str, Any] = {"config": own, "client_options": self._client(), "retry_config": self._retries()}
        how |= {"credential_provider": self._obstore_keys} if self.keys else {}
        try:
            with _endpoint_of_options(self.at):
                return from_url(self.root, **how)
        except (BaseError, ValueError, TypeError) as error:
            raise InvalidSettings(_refused(error, own), hint=_ACCOUNT if self.root.startswith("a") else "") from None

    def scan(self) -> dict[str, Any]:
        """What the engine is told, for the same identity and patience."""
        if self.root.startswith("http"):
            return {"storage_options": self._patience(), "credential_provider": None}
        named = self.at and self.root.startswith("s3")
        endpoint = {_ENDPOINT.lower(): self.at} if named else {}  # or the environment's would come before the option
        return {
            "storage_options": {**self.options, **endpoint, **self._client(), **self._patience()},
            "credential_provider": self._polars_keys if self.keys else None,
        }

    def _client(self) -> dict[str, Any]:
        given = {name: self.options[name] for name in _CLIENT_OPTIONS if name in self.options}
        plain = self.at.lower().startswith("http://") or self.root.startswith("http://")
        return {**_CLIENT, **({"allow_http": "true"} if plain else {}), **given}

    def _patience(self) -> dict[str, int]:
        kept = {"max_retries": _RETRIES, "retry_timeout_ms": _RETRY_SECONDS * 1000}
        kept |= {"retry_init_backoff_ms": _FIRST_WAIT, "retry_max_backoff_ms": _LONGEST_WAIT}
        return kept | {name: self._number(name) for name in _RETRY_OPTIONS if name in self.options}

    def _number(self, name: str) -> int:
        text = self.options[name]
        if not re.fullmatch("[0-9]{1,9}", text):
            raise InvalidSettings(f"the storage option {name} must be a whole number")
        return int(text)

    def _retries(self) -> dict[str, Any]:
        kept = self._patience()
        return {
            "max_retries": kept["max_retries"],
            "retry_timeout": timedelta(milliseconds=kept["retry_timeout_ms"]),
            "backoff": {
                "init_backoff": timedelta(milliseconds=kept["retry_init_backoff_ms"]),
                "max_backoff": timedelta(milliseconds=kept["retry_max_backoff_ms"]),
                "base": 2,
            },
        }

    def _obstore_keys(self) -> dict[str, Any]:
        assert self.keys
        keys = self.keys()
        return {
            "access_key_id": keys.access,
            "secret_access_key": keys.secret,
            "token": keys.token,
            "expires_at": keys.until,
        }

    def _polars_keys(self) -> tuple[dict[str, str], int | None]:
        assert self.keys
        keys = self.keys()
        token = {"aws_session_token": keys.token} if keys.token else {}
        pair = {"aws_access_key_id": keys.access, "aws_secret_access_key": keys.secret}
        return {**pair, **token}, int(keys.until.timestamp()) if keys.until else None


@contextmanager
def _endpoint_of_options(endpoint: str) -> Iterator[None]:
    """Inside the block the environment names no other endpoint: the library would take it, whatever its options say."""
    with ENVIRONMENT:
        other = os.environ.get(_ENDPOINT)
        if not endpoint or other in {None, endpoint}:
            yield
            return
        del os.environ[_ENDPOINT]
        try:
            yield
        finally:
            os.environ[_ENDPOINT] = str(other)


def _refused(error: Exception, options: Mapping[str, str]) -> str:
    """What is wrong with the options, by their names: their values may be secret."""
    named = next((name for name in options if name in str(error)), None)
    return f"the storage option {named!r} is not understood" if named else "the storage options are not understood"
