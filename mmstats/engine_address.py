"""Which engine answers, as a user names it: `local`, or a Spark Connect server by its URL.

An address may hold a token. It is never shown: as text an address is a scheme, a host and a port.
"""

import ipaddress
import re
from dataclasses import dataclass, field, replace
from urllib.parse import unquote

SCHEMES = ("local", "sc")
ENGINE_VARIABLE = "MMSTATS_ENGINE"
TOKEN_VARIABLE = "MMSTATS_ENGINE_TOKEN"  # noqa: S105 - a name, no token
_PORT = 15002
_LABEL = r"[A-Za-z0-9_-]{1,63}"
_HOST = rf"\[[0-9a-fA-F:.]+\]|{_LABEL}(?:\.{_LABEL})*\.?"
_URL = re.compile(rf"sc://(?P<host>{_HOST})(?::(?P<port>[0-9]{{1,5}}))?/?(?:;(?P<given>.*))?")
_SECRET = "token"  # noqa: S105 - a name, no token
_HEADER = "authorization"
_KEYS = frozenset({_SECRET, _HEADER})  # what opens an engine
_TLS = "use_ssl"
_NO_HEADERS = frozenset({_TLS, "user_id", "user_agent", "session_id"})  # the client takes them for itself
_NAME = re.compile(r"(?!.*-bin$)[a-z0-9_.-]+")  # of a header: what ends with -bin would have to be bytes
_FORM = "must be local or sc://HOST:PORT, a Spark Connect server"


@dataclass(frozen=True, slots=True)
class EngineAddress:
    """Where an engine is: its scheme, and of a server its host, its port and the parameters of its URL.

    The parameters are as they are meant, no longer as a URL has to write them. What names no setting of the client is a
    header of every call, as servers want beside or instead of a token.
    """

    scheme: str = "local"
    host: str = ""
    port: int = 0
    parameters: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}" if self.host else self.scheme

    @property
    def identity(self) -> str:
        """What tells it from other engines, as headers may that choose one behind a host, without what opens it."""
        return f"{self} {[pair for pair in self.parameters if pair[0] not in _KEYS]}"

    @property
    def is_loopback(self) -> bool:
        """Whether it is on this machine, so that nobody listens in between."""
        try:
            return ipaddress.ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return self.host.lower() == "localhost"

    @property
    def is_encrypted(self) -> bool:
        """Whether what is sent there is encrypted."""
        return dict(self.parameters).get(_TLS, "").lower() == "true"

    @property
    def token(self) -> str:
        """The secret that opens it, or an empty text."""
        return dict(self.parameters).get(_SECRET, "")

    @property
    def has_secrets(self) -> bool:
        """Whether a token or a header is sent there, which nobody in between may read."""
        return any(name not in _NO_HEADERS for name, _ in self.parameters)

    @property
    def has_key(self) -> bool:
        """Whether it says how it is opened: by a token, or an `authorization` of another kind."""
        return any(name in _KEYS for name, _ in self.parameters)

    def with_token(self, token: str) -> "EngineAddress":
        """The same with a token, unless the URL says how it is opened.

        Raises ValueError, whose message ends the sentence "the token …", where no header can hold it.
        """
        if not token or self.has_key:
            return self
        if not _is_sent_as_it_is(token):
            raise ValueError("must be of visible ASCII characters, with no blank around them")
        return replace(self, parameters=(*self.parameters, (_SECRET, token)))

    def redacted(self, text: str) -> str:
        """`text` without what the parameters hold, nor of a header with a kind (`Bearer …`) what follows that."""
        given = [value for name, value in self.parameters if name != _TLS]
        for secret in sorted({*given, *(value.rpartition(" ")[2] for value in given)}, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text


LOCAL = EngineAddress()


def read_engine(text: str) -> EngineAddress:
    """The address that `text` is.

    Raises ValueError, whose message ends the sentence "this setting …" and holds nothing of the parameters.
    """
    if text == "local":
        return LOCAL
    found = _URL.fullmatch(text)
    if not found:
        raise ValueError(_FORM)
    port = int(found["port"] or _PORT)
    if not 0 < port < 1 << 16:
        raise ValueError(f"{_FORM}; a port is at most 65535")
    return EngineAddress("sc", found["host"], port, _parameters(found["given"] or ""))


def _parameters(given: str) -> tuple[tuple[str, str], ...]:
    pairs = [pair.partition("=") for pair in given.split(";") if pair]
    read = tuple((name, unquote(value)) for name, _, value in pairs)
    names = {name for name, _ in read}
    if len(names) < len(read) or names >= _KEYS:
        raise ValueError(f"{_FORM}; each of its parameters is given once, and a token or an authorization")
    if not all(_NAME.fullmatch(name) and _is_sent_as_it_is(value) for name, value in read):
        raise ValueError(f"{_FORM}; its parameters are name=value, each behind a semicolon, as headers can be")
    if dict(read).get(_TLS, "true").lower() not in ("true", "false"):
        raise ValueError(f"{_FORM}; {_TLS} is true or false")
    return read


def _is_sent_as_it_is(value: str) -> bool:
    return bool(value) and value.isascii() and value.isprintable() and value == value.strip()
