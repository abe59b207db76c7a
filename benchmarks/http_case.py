"""One case of `http_corpus.py`: the bytes that a client sends, and what it must get."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tests.serving import KEY, question

QUESTION = question(group_by="source")
AUTHORIZED = f"Authorization: Bearer {KEY}"
NO_REQUEST = WRONG = "400 invalid_params"
LOST, OTHER_METHOD = "404 not_found", "405 method_not_allowed"
FOREIGN_HOST, FOREIGN_PAGE = "400 invalid_host", "403 invalid_origin"
APP = "https://app.example"  # whose pages one of the servers lets read
ROUTES = ("/", "/v1/stats", "/healthz", "/readyz", "/metrics", "/openapi.json", "/docs")
Pieces = bytes | tuple[bytes, ...]


@dataclass(frozen=True)
class Case:
    """What a client sends, piece by piece, and the answers it must get: each a status, and the code of an error.

    `headers` are those of the last answer, None for one that must be absent. After it the connection `closes`, or the
    next request on it is answered. The client may close its side when it has sent everything (`half_closes`), and
    `pause` between pieces, in seconds. `no_body` is for HEAD. `app` is for the server that lets a page of `APP` read.
    """

    name: str
    pieces: tuple[bytes, ...]
    answers: tuple[str, ...]
    closes: bool = False
    half_closes: bool = False
    pause: float = 0.0
    no_body: bool = False
    app: bool = False
    headers: Mapping[str, str | None] = field(default_factory=dict)


def cases(answer: str, requests: Mapping[str, Pieces], *, closes: bool = False) -> Iterator[Case]:
    """Requests, each on a connection of its own, that get the same answer."""
    for name, sent in requests.items():
        yield Case(name, (sent,) if isinstance(sent, bytes) else sent, (answer,), closes)


def request(target: str = "/healthz", *lines: str, method: str = "GET", host: str = "localhost") -> bytes:
    """A request as most clients write it."""
    return "\r\n".join((f"{method} {target} HTTP/1.1", f"Host: {host}", *lines, "", "")).encode("latin-1")


def with_key(target: str, *lines: str, method: str = "GET") -> bytes:
    """The same with the key."""
    return request(target, AUTHORIZED, *lines, method=method)


def split(sent: bytes, size: int) -> tuple[bytes, ...]:
    """Bytes in pieces of a size."""
    return tuple(sent[at : at + size] for at in range(0, len(sent), size))


def words(text: str) -> list[str]:
    """The words of a text."""
    return text.split()


def unescaped(lines: str) -> list[bytes]:
    r"""The bytes that lines write, in which `\x1b` and its like are escapes."""
    return [line.encode().decode("unicode_escape").encode("latin-1") for line in lines.strip().split("\n")]
