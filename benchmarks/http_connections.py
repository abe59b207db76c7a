"""Requests of `http_corpus.py` in their connection: bodies, smuggling, pipelines, slow and half-closed clients."""

from collections.abc import Iterator
from dataclasses import replace

from benchmarks.http_case import (
    AUTHORIZED,
    FOREIGN_HOST,
    FOREIGN_PAGE,
    LOST,
    NO_REQUEST,
    OTHER_METHOD,
    QUESTION,
    WRONG,
    Case,
    cases,
    request,
    split,
    unescaped,
    with_key,
    words,
)

SMUGGLED = request("/none?smuggled")
HEALTH, LAST = request(), request("/healthz", "Connection: close")
CHUNKED, CLOSE = "Transfer-Encoding: chunked", "Connection: close"


def _post(body: bytes, *lines: str, method: str = "POST") -> bytes:
    return request("/healthz", f"Content-Length: {len(body)}", *lines, method=method) + body


def _post_chunked(body: bytes, size: int, method: str = "POST") -> bytes:
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in split(body, size))
    return request("/healthz", CHUNKED, method=method) + chunks + b"0\r\n\r\n"


def bodies() -> Iterator[Case]:
    """Bodies, which nothing here has a use for: short ones are passed over, after long ones the connection closes."""
    for size in (0, 1, 1_000, 30_000):
        body = b"b" * size
        yield Case(f"POST of {size:,} bytes", (_post(body),), (OTHER_METHOD,))
        yield Case(f"GET with {size:,} bytes", (_post(body, method="GET"),), ("200",))
        yield Case(f"POST of {size:,} bytes in chunks", (_post_chunked(body, 999),), (OTHER_METHOD,))
        yield Case(f"POST of {size:,} bytes, last", (_post(body, CLOSE),), (OTHER_METHOD,), closes=True)
    for size in (1_000_000, 20_000_000):
        body = b"b" * size
        ways = {
            "": _post(body),
            ", last": _post(body, CLOSE),
            " after a wish to go on": _post(body, "Expect: 100-continue"),
            " in chunks": _post_chunked(body, 1 << 16),
        }
        posts = {f"POST of {size:,} bytes{way}": sent for way, sent in ways.items()}
        yield from cases(OTHER_METHOD, posts, closes=True)
        yield from cases("200", {f"GET with {size:,} bytes": _post(body, method="GET")}, closes=True)
        yield from cases(NO_REQUEST, {f"{size:,} bytes of no request": b"POST\r\n\r\n" + body}, closes=True)
        lost = request("/none", f"Content-Length: {size}", method="PUT") + body
        yield from cases(LOST, {f"PUT of {size:,} bytes": lost}, closes=True)
    yield Case("a body that does not come", (_post(b"b" * 1000)[:-1000],), (OTHER_METHOD,), closes=True)
    yield Case("a question with a body", (with_key(QUESTION, "Content-Length: 9") + b"limit=000",), ("200",))


UNCLEAR = unescaped(r"""
Transfer-Encoding: xchunked
Transfer-Encoding : chunked
Transfer-Encoding:\x0bchunked
Transfer-Encoding: chunked\r\nTransfer-Encoding: x
Content-Length: 5\r\nContent-Length: 6
Content-Length: 5, 6
Content-Length: +5
""")
NO_CHUNKS = unescaped(r"""
5\nhello\r\n0\r\n\r\n
5\r\nhello0\r\n\r\n
5\r\nhelloXX0\r\n\r\n
+5\r\nhello\r\n0\r\n\r\n
-5\r\nhello\r\n0\r\n\r\n
0x5\r\nhello\r\n0\r\n\r\n
5_0\r\nhello\r\n0\r\n\r\n
g\r\nhello\r\n0\r\n\r\n
\r\nhello\r\n0\r\n\r\n
\x205\r\nhello\r\n0\r\n\r\n
111111111111111111111\r\nhello
0\r\nX A: b\r\n\r\n
0\r\n: b\r\n\r\n
""")


def smuggling() -> Iterator[Case]:
    """Requests that a proxy might see end elsewhere: refused, or answered as the last of their connection."""
    empty = b"0\r\n\r\n"
    both = {
        "length, then chunks": request("/healthz", "Content-Length: 5", CHUNKED) + empty,
        "chunks, then length": request("/healthz", CHUNKED, "Content-Length: 5") + empty,
        "chunks, and a length of all": request("/healthz", CHUNKED, f"Content-Length: {5 + len(SMUGGLED)}") + empty,
        "chunks, and no length": request("/healthz", CHUNKED, "Content-Length: 0") + empty,
        "other case": request("/healthz", "CONTENT-LENGTH: 5", "transfer-encoding: CHUNKED") + empty,
        "HTTP/1.0": request("/healthz", CHUNKED).replace(b"1.1", b"1.0") + empty,
    }
    for name, sent in both.items():
        more = {name: sent, f"{name}, and more": sent + SMUGGLED, f"{name}, and more then": (sent, SMUGGLED)}
        yield from cases("200", more, closes=True)
    post = request("/healthz", CHUNKED, "Content-Length: 5", method="POST") + empty + SMUGGLED
    yield from cases(OTHER_METHOD, {"POST": post}, closes=True)
    for line in UNCLEAR:
        sent = HEALTH[:-2] + line + b"\r\n\r\n" + empty + SMUGGLED
        yield from cases(NO_REQUEST, {repr(line): sent}, closes=True)
    for body in NO_CHUNKS:
        yield from cases(NO_REQUEST, {repr(body): with_key("/readyz", CHUNKED) + body}, closes=True)
    inside = {"length": _post(SMUGGLED, method="GET"), "chunks": _post_chunked(SMUGGLED, 7, "GET")}
    yield from cases("200", {f"a request inside a body of {name}": sent for name, sent in inside.items()})
    trailer = request("/healthz", CHUNKED) + b"5;a=b\r\nhello\r\n0\r\nContent-Length: 99\r\nHost: evil.example\r\n\r\n"
    yield from cases("200", {"trailers": trailer})


def pipelines() -> Iterator[Case]:
    """Several requests at once on a connection: answered in their order, up to the last."""
    yield Case("two", (HEALTH * 2,), ("200",) * 2)
    yield Case("a hundred", (HEALTH * 100,), ("200",) * 100)
    yield Case("a hundred in pieces", split(HEALTH * 100, 333), ("200",) * 100)
    mixed = (HEALTH, request("/none"), with_key("/v1/stats"), request(method="POST"), with_key(QUESTION))
    yield Case("of all kinds", (b"".join(mixed),), ("200", LOST, WRONG, OTHER_METHOD, "200"))
    yield Case("up to the last", (HEALTH + LAST + SMUGGLED * 9,), ("200", "200"), closes=True)
    yield Case("more after the last", (LAST, SMUGGLED), ("200",), closes=True, pause=0.05)
    yield Case("up to what is no request", (HEALTH + b"GET\r\n\r\n" + SMUGGLED,), ("200", NO_REQUEST), closes=True)
    yield Case("up to an empty line", (HEALTH + b"\r\n" + SMUGGLED,), ("200", NO_REQUEST), closes=True)
    yield Case("with bodies", ((_post(b"b" * 99) + HEALTH) * 9,), (OTHER_METHOD, "200") * 9)
    questions = b"".join(with_key(f"{QUESTION}&limit={limit}") for limit in (1, 2, 3))
    yield Case("questions", (questions,), ("200",) * 3)


def half_closed() -> Iterator[Case]:
    """Clients that close their side when they have asked, as `nc -N` does."""
    asked = {
        "health": (HEALTH, ("200",)),
        "a last one": (LAST, ("200",)),
        "a question": (with_key(QUESTION), ("200",)),
        "a new question": (with_key(f"{QUESTION}&metric=uniques&limit=99"), ("200",)),
        "an error": (request("/none"), (LOST,)),
        "HTTP/1.0": (HEALTH.replace(b"1.1", b"1.0"), ("200",)),
        "a pipeline": (HEALTH + with_key(f"{QUESTION}&limit=98") + request("/none"), ("200", "200", LOST)),
        "a body": (_post(b"b" * 999), (OTHER_METHOD,)),
        "no request": (b"hello\r\n\r\n", (NO_REQUEST,)),
        "half a request": (HEALTH[:-2], (NO_REQUEST,)),
        "half a line": (b"GET /hea", (NO_REQUEST,)),
        "one and a half": (HEALTH + HEALTH[:-2], ("200", NO_REQUEST)),
        "half a body": (request("/none", "Content-Length: 9") + b"b", (LOST,)),
        "nothing": (b"", ()),
    }
    for name, (sent, answers) in asked.items():
        case = Case(f"{name}, then the end", (sent,), answers, closes=True, half_closes=True)
        yield case
        yield replace(case, name=f"{name} in two, then the end", pieces=split(sent, len(sent) // 2 + 1), pause=0.02)


def slow() -> Iterator[Case]:
    """Clients that send a little at a time, within the bounds."""
    for size in (1, 7):
        yield Case(f"{size} at a time", split(HEALTH, size), ("200",), pause=0.005)
    yield Case("a question", split(with_key(QUESTION), 20), ("200",), pause=0.01)
    yield Case("a pause in the head", split(HEALTH, 30), ("200",), pause=0.5)
    yield Case("a pause before another", (HEALTH, HEALTH, HEALTH), ("200",) * 3, pause=0.3)
    yield Case("a pause in the line break", (HEALTH[:-1], HEALTH[-1:]), ("200",), pause=0.1)
    part = (request("/none", "Content-Length: 9", method="POST"), b"a", b"b", b"c")
    yield Case("a part of a body", part, (LOST,), closes=True, pause=0.1)


def upgrades() -> Iterator[Case]:
    """Wishes for another protocol: passed over."""
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    socket = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", key)
    for target, answer in (("/healthz", "200"), (QUESTION, "200"), ("/none", LOST), ("/v1/stats", WRONG)):
        yield Case(f"WebSocket {target}", (with_key(target, *socket),), (answer,), headers={"Upgrade": None})
    for name in ("WebSocket", "WEBSOCKET", "h2c", "TLS/1.3", "HTTP/3", "foo, websocket", ""):
        sent = request("/healthz", f"Upgrade: {name}", "Connection: keep-alive, Upgrade", "HTTP2-Settings: AAMAAABk")
        yield from cases("200", {f"Upgrade: {name}": sent})
    yield from cases("200", {"no Connection": request("/healthz", "Upgrade: websocket")})
    yield from cases(OTHER_METHOD, {"POST": request("/healthz", *socket, method="POST")})
    page = request("/healthz", *socket, "Origin: https://evil.example")
    yield from cases(FOREIGN_PAGE, {"of a foreign page": page})
    yield Case("and more", (request("/healthz", *socket) + HEALTH,), ("200", "200"))


CONTROLS = words(r"""
%00 %07 %08 %09 %0a %0d %0d%0a %1b%5B2J %1b%5D0;x%07 %7f %C2%85 %C2%9B31m %E2%80%A8 %E2%80%AE %EF%BB%BF %F3%A0%81%81
""")


def control_bytes() -> Iterator[Case]:
    """What would act on a terminal, or pass for a line of the log, wherever a request may hold it."""
    line = "%0atimestamp=2026-01-01T00:00:00Z%20level=info%20event=request"
    for control in (*CONTROLS, line, "%22%20status=200%20x=%22"):
        yield from cases(LOST, {f"path {control}": request(f"/a{control}b")})
        yield from cases(WRONG, {f"name {control}": with_key(f"{QUESTION}&a{control}b=1")})
        yield from cases("200", {f"event {control}": with_key(f"{QUESTION}&event=a{control}b")})
    for header in ("X-Request-Id", "User-Agent", "Referer", "If-None-Match", "Accept-Encoding", "Cookie"):
        yield from cases("200", {f"{header} with an escape": request("/healthz", f"{header}: a\x1b[2Jb\x9b\x7f")})
    yield from cases(FOREIGN_HOST, {"Host with an escape": request(host="a\x1b[2Jb")})
    yield from cases(FOREIGN_PAGE, {"Origin with an escape": request("/healthz", "Origin: http://a\x1b[2J")})
    yield from cases("401 malformed_api_key", {"key with an escape": request(QUESTION, f"{AUTHORIZED}\x1b[2J")})


CONNECTIONS = {
    "bodies": bodies,
    "smuggling": smuggling,
    "pipelines": pipelines,
    "half-closed": half_closed,
    "slow": slow,
    "upgrades": upgrades,
    "control bytes": control_bytes,
}
