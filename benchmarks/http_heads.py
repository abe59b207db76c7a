"""Requests of `http_corpus.py` by their heads: lines and headers that are none, sizes, methods."""

from collections.abc import Iterator
from itertools import product

from benchmarks.http_case import (
    FOREIGN_HOST,
    LOST,
    NO_REQUEST,
    OTHER_METHOD,
    QUESTION,
    ROUTES,
    Case,
    cases,
    request,
    split,
    unescaped,
    with_key,
    words,
)
from tests.serving import question

ALLOW = {"Allow": "GET, HEAD, OPTIONS"}
HEAD = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
HEAD_BYTES = 64 << 10

NO_REQUEST_LINES = unescaped(r"""
hello
GET
GET /healthz
GET  /healthz HTTP/1.1
GET\t/healthz\tHTTP/1.1
\x20GET /healthz HTTP/1.1
\r\nGET /healthz HTTP/1.1
GET /healthz HTTP/1.1 x
GET /healthz HTTPS/1.1
GET /healthz http/1.1
GET /healthz HTTP/1
GET /healthz HTTP/11
GET /healthz HTTP/1.10
GET /healthz HTTP/-1.1
GET /healthz HTTP/1.1\x00
GET /a b HTTP/1.1
GET /\x01 HTTP/1.1
GET /\x7f HTTP/1.1
GET /\x1b[2J HTTP/1.1
GET /\x00 HTTP/1.1
GET /\xc3\xa9 HTTP/1.1
GET /v1/stats?event=\xff HTTP/1.1
G\x00ET /healthz HTTP/1.1
G\x80T /healthz HTTP/1.1
(GET) /healthz HTTP/1.1
GE:T /healthz HTTP/1.1
EHLO localhost
{"metric":"count"}
\x05\x01\x00
\x00\x00\x00\x00
\xff\xfe\xff\xfe
\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03
SSH-2.0-OpenSSH_9.6
*1\r\n$4\r\nPING
HTTP/1.1 200 OK
""")
NO_HEADERS = unescaped(r"""
X A: b
X-A : b
: b
no colon
X\x00A: b
X-A: a\x00b
X-A: a\rb
X-A: a\r\n\x00: b
X-A: a\x0bb
(X): b
[X]: b
X\x1b: b
X-\xc3\xa9: b
Host: localhost
Host: other
host:
Content-Length: -1
Content-Length: +1
Content-Length: 1.0
Content-Length: 0x1
Content-Length: a
Content-Length:
Content-Length: 1 1
Content-Length: 1, 2
Content-Length: 1,
Content-Length: \xb2
Content-Length: 999999999999999999999999999999
Content-Length : 1
Content-Length: 1\r\nContent-Length: 2
Transfer-Encoding:
Transfer-Encoding: gzip
Transfer-Encoding: identity
Transfer-Encoding: gzip, chunked
Transfer-Encoding: chunked, identity
Transfer-Encoding: chunked, chunked
Transfer-Encoding: chunked;a=b
Transfer-Encoding: xchunked
Transfer-Encoding: "chunked"
Transfer-Encoding: \x0bchunked
Transfer-Encoding : chunked
Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked
""")
HEADERS = unescaped(r"""
X-A:
X-A:b
x-a:\t b \t
X-A: \xff\xc3
X-A: a\r\n folded
X-A: ;,"'<>{}[]
Content-Length: 0
Content-Length: 0, 0
Connection: keep-alive
Connection: x, y
Keep-Alive: timeout=999
Expect: dinner
TE: trailers
Range: bytes=0-3
Accept: image/png
Accept-Language: tlh
Cookie: a=b
If-Match: x
X-Forwarded-For: 10.0.0.1
X-HTTP-Method-Override: DELETE
""")


def heads() -> Iterator[Case]:
    """Request lines and headers, most of them malformed."""
    lines = {repr(line): line + b"\r\nHost: localhost\r\n\r\n" for line in NO_REQUEST_LINES}
    yield from cases(NO_REQUEST, lines, closes=True)
    yield from cases(NO_REQUEST, {repr(line): HEAD + line + b"\r\n\r\n" for line in NO_HEADERS}, closes=True)
    yield from cases("200", {repr(line): HEAD + line + b"\r\n\r\n" for line in HEADERS})
    yield from cases("200", {"1,000 headers": HEAD + b"X: a\r\n" * 1000 + b"\r\n"})
    fold = b"GET /healthz HTTP/1.1\r\n Host: localhost\r\n\r\n"
    without = b"GET /healthz HTTP/1.1\r\n\r\n"
    yield from cases(NO_REQUEST, {"a fold at first": fold, "no Host": without}, closes=True)
    yield from cases(FOREIGN_HOST, {"HTTP/1.0 without Host": without.replace(b"1.1", b"1.0")}, closes=True)
    yield from cases("200", {"bare line feeds": HEAD.replace(b"\r\n", b"\n") + b"\n"})
    yield from cases("200", {"HTTP/1.2": request().replace(b"1.1", b"1.2")})
    old = request("/healthz", "Connection: keep-alive").replace(b"1.1", b"1.0")
    yield from cases("200", {"HTTP/1.0": old}, closes=True)
    others = {f"HTTP/{version}": request().replace(b"1.1", version.encode()) for version in ("0.9", "2.0", "9.9")}
    yield from cases(NO_REQUEST, {**others, "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"}, closes=True)


def _padded(size: int) -> bytes:
    """A request whose head is so long."""
    return request("/healthz", "X-Pad: " + "a" * (size - len(request("/healthz", "X-Pad: "))))


def sizes() -> Iterator[Case]:
    """Heads of up to 64 KiB and of more, in one write and in pieces."""
    for size in (1_000, 17_000, 20_000, HEAD_BYTES, HEAD_BYTES + 1, 100_000, 250_000, 300_000, 1 << 20):
        head, fits = _padded(size), size <= HEAD_BYTES
        ways = {"whole": (head,), "in halves": split(head, size // 2), "in pieces": split(head, size // 20 + 1)}
        answer = "200" if fits else NO_REQUEST
        yield from cases(answer, {f"{size:,} bytes {way}": sent for way, sent in ways.items()}, closes=not fits)
        if not fits:
            yield from cases(answer, {f"{size:,} bytes without an end": b"a" * size}, closes=True)
    yield Case("a long one after a short one", (request() + _padded(100_000),), ("200", NO_REQUEST), closes=True)
    yield Case("three of 64 KiB", (_padded(HEAD_BYTES) * 3,), ("200",) * 3)
    long = "a" * 60_000
    yield from cases("200", {"a query": with_key(question(event=long)), "a header": request("/docs", f"X: {long}")})
    yield from cases(LOST, {"a path": request(f"/{long}"), "a method": request("/none", method=long)})
    yield from cases("401 malformed_api_key", {"a key": request(QUESTION, f"Authorization: Bearer rk_test_{long}")})


METHODS = words("POST PUT PATCH DELETE TRACE PROPFIND QUERY M-SEARCH get Get GETT !#$%&'*+-.^_`|~")
HEADS_ONLY = {QUESTION: "200", "/docs": "200", "/": "307", "/v1/stats": "400", "/docs%0a": "404"}


def methods() -> Iterator[Case]:
    """Every method, of what is there and of what is not."""
    for method, target in product(METHODS, (QUESTION, "/healthz")):
        yield Case(f"{method} {target}", (with_key(target, method=method),), (OTHER_METHOD,), headers=ALLOW)
    lost = {f"{method} /none": request("/none", method=method) for method in (*METHODS, "OPTIONS", "GET")}
    yield from cases(LOST, lost)
    for target in ROUTES:
        yield Case(f"OPTIONS {target}", (request(target, method="OPTIONS"),), ("204",), headers=ALLOW)
    for target, answer in HEADS_ONLY.items():
        yield Case(f"HEAD {target}", (with_key(target, method="HEAD"),), (answer,), no_body=True)
    yield from cases(LOST, {"OPTIONS *": request("*", method="OPTIONS"), "CONNECT": request("a:80", method="CONNECT")})


HEADS = {"heads": heads, "sizes": sizes, "methods": methods}
