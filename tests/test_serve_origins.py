"""Who may send a browser here: hosts that are this machine, and pages of origins that were named."""

from collections.abc import Iterator

import pytest

from tests.serving import KEY, Serving, question, serving

APP = "https://app.example"
PATHS = (question(), "/healthz", "/docs", "/none")


@pytest.mark.parametrize("path", PATHS, ids=["stats", "healthz", "docs", "another"])
@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8787",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "evillocalhost",
        "0.0.0.0",
        "127.0.0.1@evil.example",
        "localhost:port",
        "localhost:",
        "10.0.0.1",
        "[::2]",
        "2130706433",
        "",
    ],
)
def test_a_foreign_host_is_refused_everywhere(server: Serving, host: str, path: str) -> None:
    """On loopback, a request that names another host is refused whatever it asks for: a rebound name is no door."""
    reply = server.raw(f"GET {path} HTTP/1.1", f"Host: {host}", f"Authorization: Bearer {KEY}")
    assert reply.error == (400, "invalid_host")


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:8787", "LOCALHOST.", "app.localhost:1", "127.0.0.1", "127.1.2.3:80", "[::1]", "[::1]:80"],
)
def test_names_of_this_machine_are_accepted(server: Serving, host: str) -> None:
    """Whatever can only mean this machine is accepted as its name, with any port."""
    reply = server.raw(f"GET {question()} HTTP/1.1", f"Host: {host}", f"Authorization: Bearer {KEY}")
    assert reply.status == 200


def test_an_old_client_without_a_host_is_refused(server: Serving) -> None:
    """HTTP/1.0 needs no Host header, and a request without one is refused all the same."""
    assert server.raw("GET /healthz HTTP/1.0").error == (400, "invalid_host")


@pytest.mark.parametrize("path", PATHS, ids=["stats", "healthz", "docs", "another"])
@pytest.mark.parametrize("origin", [APP, "http://localhost:1", "https://localhost", "null", "", "http://evil.example"])
def test_a_foreign_page_is_refused(server: Serving, origin: str, path: str) -> None:
    """Without --cors-origin, no page of another origin gets an answer, nor leave to ask."""
    for method in ("GET", "OPTIONS"):
        reply = server.request(path, {"Origin": origin}, method=method)
        assert reply.error == (403, "invalid_origin")
        assert "Access-Control-Allow-Origin" not in reply.headers


def test_the_servers_own_page_may_ask(server: Serving) -> None:
    """A page that came from the server itself is answered."""
    assert server.request(question(), {"Origin": server.url}).status == 200


@pytest.fixture(scope="module")
def shared() -> Iterator[Serving]:
    """A server that answers the pages of two origins."""
    with serving("--sample", "--cors-origin", APP, "--cors-origin", "http://Localhost:3000") as running:
        yield running


@pytest.mark.parametrize("origin", [APP, "http://localhost:3000"])
def test_a_named_page_is_answered(shared: Serving, origin: str) -> None:
    """A page of a named origin gets the answer, errors too, and may read the headers that are part of it."""
    for path, status in ((question(group_by="path", limit="1"), 200), ("/v1/stats", 400), ("/none", 404)):
        reply = shared.request(path, {"Origin": origin})
        assert reply.status == status
        assert reply.headers["Access-Control-Allow-Origin"] == origin
        assert "Origin" in reply.headers["Vary"]
        exposed = set(reply.headers["Access-Control-Expose-Headers"].split(", "))
        assert exposed >= {"ETag", "Mmstats-Truncated", "Retry-After", "X-Request-Id"}
    assert shared.request(question(), {"Origin": origin}, key=False).headers["Access-Control-Allow-Origin"] == origin


def test_a_named_page_may_send_the_key(shared: Serving) -> None:
    """The browser that asks beforehand, without a key, is told that the Authorization header may be sent."""
    wish = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
    reply = shared.request("/v1/stats", {"Origin": APP, **wish}, method="OPTIONS", key=False)
    assert reply.status in (200, 204)
    assert reply.headers["Access-Control-Allow-Origin"] == APP
    assert "authorization" in reply.headers["Access-Control-Allow-Headers"].lower()
    assert "GET" in reply.headers["Access-Control-Allow-Methods"]


def test_other_pages_are_refused_beside_named_ones(shared: Serving) -> None:
    """Naming some origins lets in no others, however alike."""
    for origin in (APP + ".evil.example", "http://app.example", APP + ":8443", "null", "http://localhost:30000"):
        reply = shared.request(question(), {"Origin": origin})
        assert reply.error == (403, "invalid_origin")
        assert "Access-Control-Allow-Origin" not in reply.headers


EMBEDDED = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}


@pytest.mark.parametrize("path", PATHS, ids=["stats", "healthz", "docs", "another"])
def test_what_a_page_embeds_is_refused(server: Serving, shared: Serving, path: str) -> None:
    """What a page of another site loads as an image tells no origin, so that no origin is let in by its name."""
    for running in (server, shared):
        for headers in (EMBEDDED, {**EMBEDDED, "Sec-Fetch-Site": "same-site", "Sec-Fetch-Dest": "script"}):
            assert running.request(path, headers).error == (403, "invalid_origin")
        own = running.request(path, {**EMBEDDED, "Sec-Fetch-Site": "same-origin"})
        link = running.request(path, {**EMBEDDED, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"})
        assert own.status == link.status == (404 if path == "/none" else 200)


def test_caches_keep_answers_to_pages_apart(server: Serving, shared: Serving) -> None:
    """Where some pages are let in, every answer says that it depends on the page, also one to no page."""
    for headers in ({}, {"Origin": APP}, {"Origin": "https://evil.example"}, EMBEDDED):
        assert shared.request("/healthz", headers).headers["Vary"] == "Origin, Accept-Encoding"
        assert server.request("/healthz", headers).headers["Vary"] == "Accept-Encoding"


def test_every_page_may_be_let_in() -> None:
    """`--cors-origin '*'` answers any page, still only with a key."""
    with serving("--sample", "--cors-origin", "*") as running:
        for origin in (APP, "null"):
            assert running.request(question(), {"Origin": origin}).headers["Access-Control-Allow-Origin"] == origin
            assert running.request(question(), {"Origin": origin}, key=False).error == (401, "missing_bearer_token")
        assert running.request("/healthz", EMBEDDED).status == 200  # by a page of whatever origin


def test_a_server_for_others_goes_by_any_name() -> None:
    """On an address that others reach, the Host header may name anything, and foreign pages are refused still."""
    with serving("--sample", "--host", "0.0.0.0") as running:
        lines = (f"GET {question()} HTTP/1.1", "Host: stats.example", f"Authorization: Bearer {KEY}")
        assert running.raw(*lines).status == 200
        assert running.raw(*lines, "Origin: http://stats.example").status == 200
        assert running.raw(*lines, f"Origin: {APP}").error == (403, "invalid_origin")
