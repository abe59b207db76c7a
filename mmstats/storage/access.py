"""How an object store is reached: options, credentials and retries, the same for requests here and by the engine."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from importlib.util import find_spec
from threading import Lock
from typing import TYPE_CHECKING, Any

from cachetools import TTLCache

from mmstats.errors import InvalidSettings, NotEvents
from mmstats.extras import install_hint
from mmstats.storage.aws import Credentials, find_aws
from mmstats.storage.url import Url
from mmstats.wording import visible

if TYPE_CHECKING:
    from obstore.store import ObjectStore

# The schemes that are known, and the extra that installs the libraries for each.
SCHEMES = {
    "s3": "s3",
    "gs": "remote",
    "az": "remote",
    "abfs": "remote",
    "abfss": "remote",
    "http": "remote",
    "https": "remote",
}
# Refused connections end within a second, and a store that stays silent within half a minute for each try.
_RETRY = {"max_retries": 3, "retry_timeout_ms": 60_000, "retry_init_backoff_ms": 100, "retry_max_backoff_ms": 1000}
_CLIENT = {"connect_timeout": "5s", "read_timeout": "10s", "timeout": "300s"}
_CLIENT_OPTIONS = (
    *_CLIENT, "allow_http", "allow_invalid_certificates", "pool_idle_timeout", "proxy_url", "proxy_ca_certificate",
    "proxy_excludes", "user_agent",
)  # fmt: skip
_AWS_ENDPOINT = "AWS_ENDPOINT_URL_S3"
_AZURE_ENDPOINT = ("endpoint", "azure_endpoint", "azure_storage_endpoint")  # as the library calls the option
_ACCOUNT = "AZURE_STORAGE_ACCOUNT_NAME or --storage-option account_name=NAME names the account"

_ENVIRONMENT = Lock()  # held while the environment's AWS variables are read or changed
# Credentials that a service had to be asked for are asked for again after two minutes, or when they expire.
_cache: "TTLCache[object, Access]" = TTLCache(8, 120)


@dataclass(frozen=True)
class Access:
    """How one bucket, container or web server is reached.

    `options` have the libraries' names and hold no AWS credentials: `credentials` is called whenever those are used.
    `endpoint` tells apart buckets of one name at different endpoints.
    """

    root: str
    options: Mapping[str, str] = field(repr=False)
    credentials: Callable[[], Credentials] | None = field(default=None, repr=False)
    endpoint: str = ""

    def open_store(self) -> "ObjectStore":
        """The library's store, for listing and reading; raises InvalidSettings for an option that it does not know."""
        from obstore.exceptions import BaseError
        from obstore.store import from_url

        own = {name: value for name, value in self.options.items() if name not in (*_CLIENT_OPTIONS, *_RETRY)}
        arguments: dict[str, Any] = {"config": own, "client_options": self._client()}
        arguments["retry_config"] = self._obstore_retry()
        if self.credentials:
            arguments["credential_provider"] = self._obstore_credentials
        try:
            with _without_other_endpoint(self.endpoint):
                return from_url(self.root, **arguments)
        except (BaseError, ValueError, TypeError) as error:
            # Only the option's name is told: its value may be secret.
            named = next((name for name in own if name in str(error)), None)
            which = f"option {named!r} is" if named else "options are"
            hint = _ACCOUNT if self.root.startswith("a") else ""
            raise InvalidSettings(f"the storage {which} not understood", hint=hint) from None

    def scan_options(self) -> dict[str, Any]:
        """Arguments for the engine's scan, with the same credentials and retries."""
        if self.root.startswith("http"):
            return {"storage_options": self._retry(), "credential_provider": None}
        named = self.endpoint and self.root.startswith("s3")
        # Unless it is named so, the engine prefers the environment's endpoint to the option's.
        endpoint = {_AWS_ENDPOINT.lower(): self.endpoint} if named else {}
        return {
            "storage_options": {**self.options, **endpoint, **self._client(), **self._retry()},
            "credential_provider": self._polars_credentials if self.credentials else None,
        }

    def log_options(self) -> dict[str, str]:
        """Options for the library that reads the log of a Delta table, with the same credentials and retries."""
        scan = self.scan_options()
        found = self._polars_credentials()[0] if self.credentials else {}
        retry = self._retry()
        times = {"max_retries": f"{retry['max_retries']}", "retry_timeout": f"{retry['retry_timeout_ms']}ms"}
        own = {name: str(value) for name, value in scan["storage_options"].items() if name not in _RETRY}
        return {**own, **found, **times}

    def _client(self) -> dict[str, Any]:
        given = {name: self.options[name] for name in _CLIENT_OPTIONS if name in self.options}
        plain = self.endpoint.lower().startswith("http://") or self.root.startswith("http://")
        return {**_CLIENT, **({"allow_http": "true"} if plain else {}), **given}

    def _retry(self) -> dict[str, int]:
        retry = dict(_RETRY)
        for name in _RETRY:
            text = self.options.get(name)
            if text is not None:
                if not re.fullmatch("[0-9]{1,9}", text):
                    raise InvalidSettings(f"the storage option {name} must be a whole number")
                retry[name] = int(text)
        return retry

    def _obstore_retry(self) -> dict[str, Any]:
        retry = self._retry()
        return {
            "max_retries": retry["max_retries"],
            "retry_timeout": timedelta(milliseconds=retry["retry_timeout_ms"]),
            "backoff": {
                "init_backoff": timedelta(milliseconds=retry["retry_init_backoff_ms"]),
                "max_backoff": timedelta(milliseconds=retry["retry_max_backoff_ms"]),
                "base": 2,
            },
        }

    def _obstore_credentials(self) -> dict[str, Any]:
        assert self.credentials
        found = self.credentials()
        pair = {"access_key_id": found.access_key, "secret_access_key": found.secret_key}
        return {**pair, "token": found.token, "expires_at": found.expires}

    def _polars_credentials(self) -> tuple[dict[str, str], int | None]:
        assert self.credentials
        found = self.credentials()
        token = {"aws_session_token": found.token} if found.token else {}
        pair = {"aws_access_key_id": found.access_key, "aws_secret_access_key": found.secret_key}
        return {**pair, **token}, int(found.expires.timestamp()) if found.expires else None


@contextmanager
def _without_other_endpoint(endpoint: str) -> Iterator[None]:
    """Inside the block the environment names no endpoint but this: the library would prefer it to the option's."""
    with _ENVIRONMENT:
        other = os.environ.get(_AWS_ENDPOINT)
        if not endpoint or other in {None, endpoint}:
            yield
            return
        del os.environ[_AWS_ENDPOINT]
        try:
            yield
        finally:
            os.environ[_AWS_ENDPOINT] = str(other)


def check_scheme(url: Url) -> None:
    """Raise NotEvents for an unknown scheme, and InvalidSettings where the library is missing that reads it."""
    if url.scheme not in SCHEMES:
        known = ", ".join(f"{scheme}://" for scheme in SCHEMES)
        raise NotEvents(f"{visible(str(url))}: unknown scheme {visible(url.scheme)!r}", hint=f"known are {known}")
    if find_spec("obstore") is None:
        raise InvalidSettings(f"{url.scheme}:// needs obstore", hint=install_hint(SCHEMES[url.scheme]))


def find_access(url: Url, options: Mapping[str, str]) -> Access:
    """How the store of a location is reached, as the user's options, the environment and AWS's own files say.

    Raises as `check_scheme` does, InvalidSettings where another library is missing or the configuration is wrong, and
    Unreadable where credentials cannot be had.
    """
    check_scheme(url)
    options = {name.lower(): value for name, value in options.items()}
    with _ENVIRONMENT:
        variables = tuple(sorted((name, value) for name, value in os.environ.items() if name.startswith("AWS_")))
        key = (url.root, tuple(sorted(options.items())), variables)
        if key not in _cache:
            _cache[key] = Access(url.root, *find_aws(url, options)) if url.scheme == "s3" else _plain(url, options)
        return _cache[key]


def _plain(url: Url, options: Mapping[str, str]) -> Access:
    """Access to Google, Azure or a web server: the library finds credentials itself, here and in the engine alike."""
    variables = ("AZURE_ENDPOINT", "AZURE_STORAGE_ENDPOINT")
    named = [options.get(name) for name in _AZURE_ENDPOINT] + [os.environ.get(name) for name in variables]
    return Access(url.root, options, endpoint="" if url.is_web else next(filter(None, named), ""))
