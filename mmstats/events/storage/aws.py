"""How S3 is reached, as the AWS command line finds it out: keys, profile, region and endpoint.

That is left to botocore, which knows the environment, the shared files, SSO, web identity, containers and instances.
Both who lists here and the engine get the very keys that it finds: left to itself the engine passes over AWS_PROFILE
where botocore is missing, and takes another identity.
"""

import os
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from mmstats.errors import InvalidSettings, MmstatsError, Unreadable
from mmstats.events.storage.access import Access, Keys
from mmstats.events.storage.url import Url
from mmstats.wording import visible

_REGION = "us-east-1"  # where stores that have no regions let everybody be
_OWN = ("access_key_id", "secret_access_key", "session_token", "token", "profile")
_SERVER = re.compile("https?://[^/ ]+", re.IGNORECASE)
_NAMING = {"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"}
_INSTALL = "pip install 'mmstats[s3]'"


def reached(url: Url, options: Mapping[str, str]) -> Access:
    """How a bucket is reached.

    Raises InvalidSettings where a library is missing or the configuration is wrong, Unreadable where no keys are found.
    """
    try:
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.session import Session
    except ImportError:
        raise InvalidSettings("s3:// needs boto3, which finds the keys", hint=_INSTALL) from None
    given = {_plain(name): value for name, value in options.items()}
    session = Session(profile=given.get("profile"))
    try:
        region = given.get("region") or _region(session)
        endpoint = given.get("endpoint") or _endpoint(session, region)
        _check(endpoint)
        unsigned = given.get("skip_signature", "").lower() in {"true", "1"}
        keys = None if unsigned else _given(given) or _found(session, str(url))
    except (BotoCoreError, ClientError, OSError, ValueError, EOFError) as error:  # a process, a token's file, a prompt
        raise _explained(error, str(url)) from None
    config = {name: value for name, value in given.items() if name not in _OWN} | {"region": region}
    config |= {"endpoint": endpoint} if endpoint else {}
    return Access(url.root, config, keys, at=endpoint or "")


def _plain(name: str) -> str:
    """An option's name without what some write before it."""
    plain = name.removeprefix("aws_")
    return {"endpoint_url": "endpoint", "endpoint_url_s3": "endpoint", "default_region": "region"}.get(plain, plain)


def _region(session: Any) -> str:
    own = os.environ.get("AWS_REGION") or session.get_config_variable("region")
    return str(own or _REGION)


def _endpoint(session: Any, region: str) -> str | None:
    from botocore.configprovider import ConfiguredEndpointProvider

    if session.get_config_variable("ignore_configured_endpoint_urls"):
        # Said nothing, the libraries would take what the environment names.
        own = {"region_name": region, "aws_access_key_id": "none", "aws_secret_access_key": "none"}
        return str(session.create_client("s3", **own).meta.endpoint_url) if _NAMING & os.environ.keys() else None
    configured = ConfiguredEndpointProvider(session.full_config, session.get_scoped_config(), "s3", os.environ)
    found = configured.provide()
    return None if found is None else str(found)


def _check(endpoint: str | None) -> None:
    if endpoint and not _SERVER.match(endpoint):
        raise InvalidSettings("the endpoint of S3 is no URL", hint="https://HOST, or http://HOST:PORT")


def _given(given: Mapping[str, str]) -> Callable[[], Keys] | None:
    """The keys that the options name."""
    if not given.keys() & {"access_key_id", "secret_access_key"}:
        return None
    try:
        keys = Keys(given["access_key_id"], given["secret_access_key"], given.get("session_token", given.get("token")))
    except KeyError as missing:
        raise InvalidSettings(f"the storage options lack {missing.args[0]}", hint="give both, or a profile") from None
    return lambda: keys


def _found(session: Any, location: str) -> Callable[[], Keys]:
    """The keys that are found, asked for anew whenever they are used: some are good for an hour."""
    found = session.get_credentials()
    if found is None:
        raise Unreadable(
            f"{visible(location)}: no credentials",
            hint="set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; "
            "--storage-option skip_signature=true reads a public bucket",
        )

    def keys() -> Keys:
        frozen = found.get_frozen_credentials()
        expiry = getattr(found, "_expiry_time", None)  # as the engine's own provider asks for it
        until = expiry.astimezone(UTC) if isinstance(expiry, datetime) else None
        return Keys(frozen.access_key, frozen.secret_key, frozen.token, until)

    keys()  # what is wrong with them is said now, and not by an engine in the middle of a question
    return keys


_MISCONFIGURED = {
    "ProfileNotFound": "the profile that AWS_PROFILE or --storage-option profile names does not exist",
    "ConfigParseError": "the AWS configuration file cannot be understood",
    "ConfigNotFound": "the AWS configuration file does not exist",
    "PartialCredentialsError": "only one half of the AWS keys is configured",
    "InfiniteLoopConfigError": "the AWS profiles name one another as their source",
    "InvalidConfigError": "the AWS profile is incomplete",
}
_NOT_GIVEN = {
    "UnauthorizedSSOTokenError": "the AWS SSO session has ended",
    "SSOTokenLoadError": "there is no AWS SSO session",
    "TokenRetrievalError": "the AWS SSO session has ended",
    "CredentialRetrievalError": "the process or the service that gives AWS credentials has failed",
}


def _explained(error: Exception, location: str) -> MmstatsError:
    """What botocore finds wrong, without what it quotes: a key may be in it."""
    name = type(error).__name__
    if name in _MISCONFIGURED:
        return InvalidSettings(_MISCONFIGURED[name])
    why = _NOT_GIVEN.get(name, f"AWS credentials cannot be had ({name})")
    return Unreadable(f"{visible(location)}: {why}", hint="aws sso login, or whatever gives you credentials, again")
