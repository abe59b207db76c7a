"""How S3 is reached, as the AWS command line finds it out: credentials, profile, region and endpoint.

That is left to botocore, which knows the environment, the shared files, SSO, web identity, containers and instances.
The engine gets the very credentials that botocore finds: left to itself it passes over AWS_PROFILE where botocore is
missing, and takes another identity.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from mmstats.errors import InvalidSettings, MmstatsError, Unreadable
from mmstats.extras import install_hint
from mmstats.storage.url import Url
from mmstats.wording import visible

_REGION = "us-east-1"  # where stores that have no regions let everybody be
_NOT_OPTIONS = ("access_key_id", "secret_access_key", "session_token", "token", "profile")
_ALIASES = {"endpoint_url": "endpoint", "endpoint_url_s3": "endpoint", "default_region": "region"}
_MISCONFIGURED = {
    "ProfileNotFound": "the profile that AWS_PROFILE or --storage-option profile names does not exist",
    "ConfigParseError": "the AWS configuration file cannot be understood",
    "ConfigNotFound": "the AWS configuration file does not exist",
    "PartialCredentialsError": "only one half of the AWS keys is configured",
    "InfiniteLoopConfigError": "the AWS profiles name one another as their source",
    "InvalidConfigError": "the AWS profile is incomplete",
}
_NO_CREDENTIALS = {
    "UnauthorizedSSOTokenError": "the AWS SSO session has ended",
    "SSOTokenLoadError": "there is no AWS SSO session",
    "TokenRetrievalError": "the AWS SSO session has ended",
    "CredentialRetrievalError": "the process or the service that gives AWS credentials has failed",
}


@dataclass(frozen=True, slots=True)
class Credentials:
    """A pair of keys, and when it expires if it does; never shown."""

    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)
    expires: datetime | None = None


def find_aws(url: Url, options: Mapping[str, str]) -> tuple[dict[str, str], Callable[[], Credentials] | None, str]:
    """Options without credentials, what gives credentials unless requests are unsigned, and the endpoint if any.

    Raises InvalidSettings where a library is missing or the configuration is wrong, Unreadable where no credentials
    are found.
    """
    try:
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.session import Session
    except ImportError:
        raise InvalidSettings("s3:// needs boto3, which finds the keys", hint=install_hint("s3")) from None
    plain = {name.removeprefix("aws_"): value for name, value in options.items()}
    given = {_ALIASES.get(name, name): value for name, value in plain.items()}
    session = Session(profile=given.get("profile"))
    try:
        own = os.environ.get("AWS_REGION") or session.get_config_variable("region")
        region = given.get("region") or str(own or _REGION)
        endpoint = given.get("endpoint") or _endpoint(session, region)
        if endpoint and not re.match("https?://[^/ ]+", endpoint, re.IGNORECASE):
            raise InvalidSettings("the endpoint of S3 is no URL", hint="https://HOST, or http://HOST:PORT")
        is_unsigned = given.get("skip_signature", "").lower() in {"true", "1"}
        credentials = None if is_unsigned else _given(given) or _found(session, str(url))
    except (BotoCoreError, ClientError, OSError, ValueError, EOFError) as error:  # a process, a token's file, a prompt
        raise _explained(error, str(url)) from None
    found = {name: value for name, value in given.items() if name not in _NOT_OPTIONS} | {"region": region}
    return found | ({"endpoint": endpoint} if endpoint else {}), credentials, endpoint or ""


def _endpoint(session: Any, region: str) -> str | None:
    from botocore.configprovider import ConfiguredEndpointProvider

    if session.get_config_variable("ignore_configured_endpoint_urls"):
        if not {"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"} & os.environ.keys():
            return None
        # Given none, the libraries would take the one that the environment names.
        arguments = {"region_name": region, "aws_access_key_id": "none", "aws_secret_access_key": "none"}
        return str(session.create_client("s3", **arguments).meta.endpoint_url)
    configured = ConfiguredEndpointProvider(session.full_config, session.get_scoped_config(), "s3", os.environ)
    found = configured.provide()
    return None if found is None else str(found)


def _given(options: Mapping[str, str]) -> Callable[[], Credentials] | None:
    """The credentials among the options."""
    if not options.keys() & {"access_key_id", "secret_access_key"}:
        return None
    try:
        pair = options["access_key_id"], options["secret_access_key"]
    except KeyError as missing:
        raise InvalidSettings(f"the storage options lack {missing.args[0]}", hint="give both, or a profile") from None
    credentials = Credentials(*pair, options.get("session_token", options.get("token")))
    return lambda: credentials


def _found(session: Any, location: str) -> Callable[[], Credentials]:
    """The credentials that botocore finds, asked for whenever they are used: some are good for an hour."""
    found = session.get_credentials()
    if found is None:
        raise Unreadable(
            f"{visible(location)}: no credentials",
            hint="set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; "
            "--storage-option skip_signature=true reads a public bucket",
        )

    def credentials() -> Credentials:
        frozen = found.get_frozen_credentials()
        expiry = getattr(found, "_expiry_time", None)  # as the engine's own provider asks for it
        expires = expiry.astimezone(UTC) if isinstance(expiry, datetime) else None
        return Credentials(frozen.access_key, frozen.secret_key, frozen.token, expires)

    credentials()  # fails now if it fails, and not in the engine in the middle of a question
    return credentials


def _explained(error: Exception, location: str) -> MmstatsError:
    """The error for one of botocore's, without what that quotes: a key may be in it."""
    name = type(error).__name__
    if name in _MISCONFIGURED:
        return InvalidSettings(_MISCONFIGURED[name])
    why = _NO_CREDENTIALS.get(name, f"AWS credentials cannot be had ({name})")
    return Unreadable(f"{visible(location)}: {why}", hint="aws sso login, or whatever gives you credentials, again")
