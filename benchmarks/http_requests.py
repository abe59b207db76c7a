"""Requests of `http_corpus.py` by what they ask: targets, parameters, keys, compression, hosts and browsers' pages."""

from collections.abc import Iterator
from itertools import product

from benchmarks.http_case import (
    APP,
    FOREIGN_HOST,
    FOREIGN_PAGE,
    LOST,
    OTHER_METHOD,
    QUESTION,
    ROUTES,
    WRONG,
    Case,
    cases,
    request,
    unescaped,
    with_key,
    words,
)
from tests.serving import KEY

LOST_TARGETS = words(r"""
// healthz //healthz /healthz/ /Healthz /HEALTHZ /./healthz /v1/../healthz /healthz;a=b /healthz#top /v1 /v1/ /v2/stats
* /v1/stats/x /v1/stats/ /v1//stats /docs.html /favicon.ico /robots.txt /.env /../../etc/passwd /..%2f..%2fetc%2fpasswd
/v1%2Fstats /v1%2fstats /v1/stats%2f /v1/%2e%2e/healthz /%2e/healthz /v1/stats%3F /v1/stats%3Flimit=1 /healthz%23
/% /%zz /%u0068ealthz /%ff /%c0%af /%00 /healthz%00 /%0ahealthz /healthz%0a%0a /healthz%0d%0a /healthz%0b /healthz%0c
/healthz%C2%85 /healthz%E2%80%A8 /v1/stats%250a /%1b%5B2J /%9b /%E2%80%AE https://localhost/none
""")
FOUND_TARGETS = words(r"""
/healthz /%68ealthz /%68%65%61%6c%74%68%7a /healthz? /healthz?a=b /healthz?? /healthz?%0a /healthz?/
http://localhost/healthz HTTP://LOCALHOST/healthz https://127.0.0.1:1/healthz http://[::1]/healthz
""")
ROOT_TARGETS = words("/ /? /?a=b http://localhost HTTPS://LOCALHOST/ http://[::1]")
FOREIGN_TARGETS = words("http://evil.example/healthz http://localhost@evil.example/ http:///healthz https://10.0.0.1/")


def targets() -> Iterator[Case]:
    """Paths that are near to one that is there, percent-encoded or not, and absolute targets."""
    near = [f"{route}{end}" for route, end in product(ROUTES, ("%0a", "%0A", "%0d", "%20"))]
    yield from cases(LOST, {target: request(target) for target in (*LOST_TARGETS, *near)})
    yield from cases("200", {target: request(target) for target in FOUND_TARGETS})
    yield from cases("307", {target: request(target) for target in ROOT_TARGETS})
    yield from cases(FOREIGN_HOST, {target: request(target) for target in FOREIGN_TARGETS})


WRONG_QUERIES = words(r"""
limit=0 limit=1001 limit=-1 limit=+1 limit=1.0 limit=1_0 limit=%C2%B2 limit= limit=10%0a limit=%2010 limit=1&limit=1
limit=%00 limit%0a=1 limit[]=1 metric= metric=Count metric=count%0a interval=DAY interval=month interval=day%0a event=
event=a&event=b event=%FF event=%C3 event=%ED%A0%80 groupby=source group_by=source&group_by=os from=2000-01-01
From=2000-01-01 exact=true all=true fill=true a=1&b=2&c=3 = =1 %00=1 %1b%5B2J=1 %E2%80%AE=1 %FF=1 a%0Ab=1 []=1
__proto__=1
""")
WRONG_STARTS = words(r"""
2100-01-01 2101-01-01 2000-13-01 2000-02-30 0000-01-01 2000-01-01%0a %0a2000-01-01 2000-01-01T00:00:00Z%0A 2000-01-01%00
2000-01-01T00:00:00+02:00 2000-01-01T24:00:00Z 2000-01-01T00:00:60Z yesterday 946684800 %D9%A2000-01-01 %FF
""")
RIGHT_QUERIES = words(r"""
limit=%31%30 limit=0010 %6Cimit=10 interval=week metric=uniques group_by= group_by=source,source group_by=%73ource
group_by=%20source%20,%20os &&limit=1 event=%00 event=%0a event=%F0%9F%92%A9 event=%E2%80%AE event=a+b event=a%26b
event=a=b event=%2500 event=%3C%2Fscript%3E event='%20OR%201=1 event=a;b
""")
WRONG_GROUPS = words("campaign Source source,,os source;os source%00 %1b source%2Cuser_id * source%FF rk_test_abcdefgh")
RANGE = "/v1/stats?from=2000-01-01&to=2100-01-01"


def parameters() -> Iterator[Case]:
    """Parameters, right and wrong, however encoded."""
    yield from cases(WRONG, {query: with_key(f"{RANGE}&{query}") for query in WRONG_QUERIES})
    yield from cases(WRONG, {text: with_key(f"/v1/stats?to=2100-01-01&from={text}") for text in WRONG_STARTS})
    few = {
        "no range": with_key("/v1/stats"),
        "no from": with_key("/v1/stats?to=2001"),
        "no value": with_key(f"{RANGE}&x"),
    }
    yield from cases(WRONG, {**few, "1,001 of them": with_key(RANGE + "&p=1" * 1001)})
    yield from cases("200", {query: with_key(f"{RANGE}&{query}") for query in RIGHT_QUERIES})
    yield from cases("400 invalid_group_by", {names: with_key(f"{RANGE}&group_by={names}") for names in WRONG_GROUPS})


KEYS = {
    "401 missing_bearer_token": (
        "X: y",
        "Authorization:",
        "Authorization: Basic {}",
        "Authorization: Bearer",
        "Key: {}",
    ),
    "401 malformed_api_key": (
        *(
            "Authorization: Bearer x",
            "Authorization: Bearer {} x",
            "Authorization: Bearer {}!",
            "Authorization: Bearer \xff",
        ),
        "Authorization: Bearer {0}\r\nAuthorization: Bearer {0}",
    ),
    "401 invalid_api_key": ("Authorization: Bearer {}x", "Authorization: Bearer rk_test_unknowns_" + "0" * 32),
    "403 insufficient_scope": ("Authorization: Bearer pk_x_abcdefgh_" + "0" * 32,),
    "200": ("Authorization: Bearer {}", "authorization:BEARER   {} ", "Authorization: bearer {}"),
}


def keys() -> Iterator[Case]:
    """Keys and what passes for one."""
    for (answer, lines), target in product(KEYS.items(), (QUESTION, "/metrics")):
        yield from cases(answer, {f"{target} {line}": request(target, line.format(KEY)) for line in lines})


# One a line, where `\r\n` begins a second header.
GZIP = r"""
gzip
GZIP
x-gzip
X-GZIP
*
*;q=0.1
gzip;q=1
gzip;q=1.000
gzip;q=0.001
gzip ; q=0.5
GZIP;Q=0.5
br, gzip
br,gzip;q=0.1
deflate, *
gzip, identity
identity;q=0.5, gzip
identity;q=0, gzip;q=0.1
gzip\r\nAccept-Encoding: br
br\r\nAccept-Encoding: gzip
"""
NO_GZIP = r"""
identity
br
deflate, br, zstd
gzip;q=0
gzip;q=0.000
GZIP; Q=0
*;q=0
gzip;q=0, *
identity, gzip;q=0.5
gzipped
x-gzip;q=0
*;q=0.0, br
gzip;q=2
gzip;q=-1
gzip;q=a
gzip;level=9
;;;
,,,
gzip;q=1\r\nAccept-Encoding: gzip;q=0
"""
VARYING = {
    "200": request(),
    "204": request(method="OPTIONS"),
    "304": with_key(QUESTION, "If-None-Match: *"),
    "401 missing_bearer_token": request(QUESTION),
    WRONG: with_key("/v1/stats"),
    LOST: request("/none"),
    OTHER_METHOD: request(method="POST"),
    FOREIGN_HOST: request(host="evil.example"),
    FOREIGN_PAGE: request("/healthz", "Origin: https://evil.example"),
}


def encodings() -> Iterator[Case]:
    """Wishes for compression, and answers of every kind, which all say that they depend on one."""
    vary = {"Vary": "Accept-Encoding"}
    for accepted, encoding in ((unescaped(GZIP), "gzip"), (unescaped(NO_GZIP), None)):
        for text in accepted:
            sent = request("/openapi.json", f"Accept-Encoding: {text.decode()}")
            yield Case(repr(text), (sent,), ("200",), headers={**vary, "Content-Encoding": encoding})
    for answer, sent in VARYING.items():
        yield Case(f"Vary of {answer}", (sent,), (answer,), headers={**vary, "Content-Encoding": None})
        both = {"Vary": "Origin, Accept-Encoding"}
        yield Case(f"Vary of {answer}, a page let in", (sent,), (answer,), app=True, headers=both)
    yield Case("Vary of HEAD", (request("/docs", method="HEAD"),), ("200",), no_body=True, headers=vary)


OWN_HOSTS = words(
    "localhost localhost:8787 LOCALHOST. a.localhost:1 127.0.0.1 127.1.2.3:80 [::1] [::1]:80 127.0.0.1:99999"
)
FOREIGN_HOSTS = words(r"""
evil.example evil.example:8787 127.0.0.1.evil.example localhost.evil.example evillocalhost 0.0.0.0 10.0.0.1 [::2]
2130706433 0x7f.1 localhost@evil.example localhost:port localhost: localhost/ localhost,evil.example [::1 ::1 [] .
%6cocalhost \ *
""")
FETCHED = "Sec-Fetch-Site: {}\r\nSec-Fetch-Mode: {}\r\nSec-Fetch-Dest: {}"
SITES = {"cross-site": FOREIGN_PAGE, "same-site": FOREIGN_PAGE, "same-origin": "200", "none": "200"}
EMBEDDED = words(
    "no-cors/image no-cors/script no-cors/style no-cors/empty cors/empty navigate/iframe navigate/object navigate/"
)
OTHER_PAGES = (
    f"{APP}.evil.example",
    f"{APP}:8443",
    "http://app.example",
    "https://evil.example",
    "null",
    "",
    "*",
    "\xff",
)


def hosts() -> Iterator[Case]:
    """Names of this machine and others."""
    yield from cases("200", {host: request(host=host) for host in OWN_HOSTS})
    yield from cases(FOREIGN_HOST, {host: request(host=host) for host in (*FOREIGN_HOSTS, "", "a b", "\xff")})


def pages() -> Iterator[Case]:
    """The pages of browsers: the server's own, one that may be let in and others, which embed, fetch and link."""
    for app, (site, answer) in product((False, True), SITES.items()):
        for wish in EMBEDDED:
            sent = request("/healthz", FETCHED.format(site, *wish.split("/")))
            yield Case(f"{site} {wish}, {app=}", (sent,), (answer,), app=app)
        link = request("/docs", FETCHED.format(site, "navigate", "document"))
        yield Case(f"{site} link, {app=}", (link,), ("200",), app=app)
    for app, page, method in product((False, True), OTHER_PAGES, ("GET", "OPTIONS")):
        sent, unread = with_key(QUESTION, f"Origin: {page}", method=method), {"Access-Control-Allow-Origin": None}
        yield Case(f"{method} of {page!r}, {app=}", (sent,), (FOREIGN_PAGE,), app=app, headers=unread)
    for method, answer in (("GET", "200"), ("OPTIONS", "204")):
        sent = with_key(QUESTION, f"Origin: {APP}", FETCHED.format("cross-site", "cors", "empty"), method=method)
        yield Case(f"{method} let in", (sent,), (answer,), app=True, headers={"Access-Control-Allow-Origin": APP})
        yield Case(f"{method} not let in", (sent,), (FOREIGN_PAGE,))
    own = with_key(QUESTION, "Origin: http://localhost", FETCHED.format("same-origin", "cors", "empty"))
    yield from cases("200", {"the server's own": own})


REQUESTS = {
    "targets": targets,
    "parameters": parameters,
    "keys": keys,
    "encodings": encodings,
    "hosts": hosts,
    "pages": pages,
}
