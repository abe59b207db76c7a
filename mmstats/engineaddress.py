"""Which engine answers, as a user names it: `local`, or a Spark Connect server by its URL.

An address may hold a token. It is never shown: as text an address is a scheme, a host and a port.
"""

import ipaddress
import re
from dataclasses import dataclass, field, replace

SCHEMES = ("local", "sc")
ENGINE_VARIABLE = "MMSTATS_ENGINE"
TOKEN_VARIABLE = "MMSTATS_ENGINE_TOKEN"  # noqa: S105 - a name, no token
_PORT = 15002
_LABEL = r"[A-Za-z0-9_-]{1,63}"
_HOST = rf"\[[0-9a-fA-F:.]+\]|{_LABEL}(?:\.{_LABEL})*\.?"
_URL = re.compile(rf"sc://(?P<host>{_HOST})(?::(?P<port>[0-9]{{1,5}}))?/?(?:;(?P<given>.*))?")
_SECRET = "token"  # noqa: S105 - a name, no token
_FORM = "must be local or sc://HOST:PORT, a Spark Connect server"


@dataclass(frozen=True, slots=True)
class EngineAddress:
    """Where an engine is: its scheme, and of a server its host, its port and the parameters of its URL."""

    scheme: str = "local"
    host: str = ""
    port: int = 0
    parameters: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}" if self.host else self.scheme

    @property
    def is_loopback(self) -> bool:
        """Whether it is on this machine, so that nobody listens in between."""
        try:
            return ipaddress.ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def is_encrypted(self) -> bool:
        """Whether what is sent there is encrypted."""
        return dict(self.parameters).get("use_ssl", "").lower() == "true"

    def with_token(self, token: str) -> "EngineAddress":
        """The same with a token, unless the URL has one."""
        given = () if self.token or not token else ((_SECRET, token),)
        return replace(self, parameters=(*self.parameters, *given))

    @property
    def token(self) -> str:
        """The secret that opens it, or an empty text."""
        return dict(self.parameters).get(_SECRET, "")


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
    if not all(name and equals and value for name, equals, value in pairs):
        raise ValueError(f"{_FORM}; its parameters are name=value, each behind a semicolon")
    return tuple((name, value) for name, _, value in pairs)
