"""The address of an engine, as a user writes it: `local`, or the URL of a Spark Connect server.

An address may hold a token, which is never shown: as text an address is a scheme, a host and a port.
"""

import ipaddress
import re
from dataclasses import dataclass, field, replace
from urllib.parse import unquote

ENGINE_VARIABLE = "MMSTATS_ENGINE"
TOKEN_VARIABLE = "MMSTATS_ENGINE_TOKEN"  # noqa: S105 - a name, no token
_PORT = 15002
_LABEL = r"[A-Za-z0-9_-]{1,63}"
_HOST = rf"\[[0-9a-fA-F:.]+\]|{_LABEL}(?:\.{_LABEL})*\.?"
_URL = re.compile(rf"sc://(?P<host>{_HOST})(?::(?P<port>[0-9]{{1,5}}))?/?(?:;(?P<parameters>.*))?")
_SECRET = "token"  # noqa: S105 - a name, no token
_HEADER = "authorization"
_CREDENTIALS = frozenset({_SECRET, _HEADER})
_TLS = "use_ssl"
_NO_HEADERS = frozenset({_TLS, "user_id", "user_agent", "session_id"})  # settings of the client
_NAME = re.compile(r"(?!.*-bin$)[a-z0-9_.-]+")  # of a header; the value of one that ends with -bin is bytes
_WORD = re.compile(r"[A-Za-z]{1,20}")
_FORM = "must be local or sc://HOST:PORT, a Spark Connect server"


@dataclass(frozen=True, slots=True)
class EngineAddress:
    """Where an engine is: its scheme, and of a server its host, its port and the decoded parameters of its URL.

    A parameter that is no setting of the client is a header of every call, as some servers want with or instead of a
    token.
    """

    scheme: str = "local"
    host: str = ""
    port: int = 0
    parameters: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}" if self.host else self.scheme

    @property
    def identity(self) -> str:
        """The address with the parameters that may select an engine behind the host, without credentials."""
        return f"{self} {[pair for pair in self.parameters if pair[0] not in _CREDENTIALS]}"

    @property
    def is_loopback(self) -> bool:
        """Whether it is on this machine, so that nothing is sent over a network."""
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
        """The token that is sent to it, or an empty text."""
        return dict(self.parameters).get(_SECRET, "")

    @property
    def has_secrets(self) -> bool:
        """Whether a token or a header is sent to it, which nobody else may read."""
        return any(name not in _NO_HEADERS for name, _ in self.parameters)

    @property
    def has_key(self) -> bool:
        """Whether it holds credentials: a token, or an `authorization` of another kind."""
        return any(name in _CREDENTIALS for name, _ in self.parameters)

    def with_token(self, token: str) -> "EngineAddress":
        """The same with a token, unless the URL holds credentials.

        Raises ValueError with the rest of the sentence "the token …" for one that no header can hold.
        """
        if not token or self.has_key:
            return self
        if not _fits_header(token):
            raise ValueError("must be of visible ASCII characters, with no blank around them")
        return replace(self, parameters=(*self.parameters, (_SECRET, token)))

    def redacted(self, text: str) -> str:
        """`text` without the values of parameters, and without what follows the kind in a header (`Bearer …`)."""
        values = [value for name, value in self.parameters if name != _TLS]
        for secret in sorted({*values, *(value.rpartition(" ")[2] for value in values)}, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text


LOCAL = EngineAddress()


def read_engine(text: str) -> EngineAddress:
    """The address that `text` is.

    Raises ValueError with the rest of the sentence "this option …"; it repeats nothing of the parameters.
    """
    if text == "local":
        return LOCAL
    found = _URL.fullmatch(text)
    if not found:  # a word is shown, of a URL nothing: it may hold a key
        raise ValueError(f"{_FORM}, not {text!r}" if _WORD.fullmatch(text) else _FORM)
    port = int(found["port"] or _PORT)
    if not 0 < port < 1 << 16:
        raise ValueError(f"{_FORM}; a port is at most 65535")
    pairs = [pair.partition("=") for pair in (found["parameters"] or "").split(";") if pair]
    parameters = {name: unquote(value) for name, _, value in pairs}
    if len(parameters) < len(pairs) or parameters.keys() >= _CREDENTIALS:
        raise ValueError(f"{_FORM}; each of its parameters is given once, and a token or an authorization")
    if not all(_NAME.fullmatch(name) and _fits_header(value) for name, value in parameters.items()):
        raise ValueError(f"{_FORM}; its parameters are name=value, each behind a semicolon, as headers can be")
    if parameters.get(_TLS, "true").lower() not in ("true", "false"):
        raise ValueError(f"{_FORM}; {_TLS} is true or false")
    return EngineAddress("sc", found["host"], port, tuple(parameters.items()))


def _fits_header(value: str) -> bool:
    return bool(value) and value.isascii() and value.isprintable() and value == value.strip()
