"""Which paths and methods are answered and how the others are refused; what is no HTTP at all."""

import io

import pytest

from mmstats.serve.errors import ERROR_CODES
from tests.asgi import ask_app, build_app
from tests.serving import KEY, Reply, Serving, question

QUESTION = question(group_by="source")
AUTHORIZED = ("Host: localhost", f"Authorization: Bearer {KEY}", "Connection: close")
OPEN = ("/", "/healthz", "/readyz", "/openapi.json", "/docs")
ALLOW = "GET, HEAD, OPTIONS"


@pytest.mark.parametrize(
    "path",
    ["//", "/v1", "/v1/", "/v1/stats/", "/v1//stats", "/V1/stats", "/v1/stats/x", "/v1/stats%2F", "/docs/", "/v2/stats",
     "/v1/stats%0a", "/v1/stats%0d", "/healthz%0A", "/docs%0a"],
)  # fmt: skip
def test_another_path_is_not_found(server: Serving, path: str) -> None:
    """A path that differs by as little as a trailing slash or line break is another path, and not redirected."""
    for key in (True, False):
        assert server.request(path, key=key).error == (404, "not_found")


@pytest.mark.parametrize("path", ["/v1/stats", *OPEN, "/metrics"])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "get"])
def test_another_method_is_refused(server: Serving, method: str, path: str) -> None:
    """A method that is not for reading is refused, saying which are there."""
    reply = server.request(path, method=method)
    assert reply.error == (405, "method_not_allowed")
    assert reply.headers["Allow"] == ALLOW


def test_a_body_changes_nothing(server: Serving) -> None:
    """The body of a request that has no use for one is passed over, and the next on the connection is answered."""
    get = ("GET /healthz HTTP/1.1", "Host: localhost", "Content-Length: 9", "", "limit=000")
    with server.connect() as connection:
        connection.sendall("\r\n".join(get).encode() + f"GET {QUESTION} HTTP/1.1\r\n".encode())
        connection.sendall("\r\n".join((*AUTHORIZED, "", "")).encode())
        received = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    assert received.count(b"HTTP/1.1 200") == 2


@pytest.mark.parametrize("path", [QUESTION, "/v1/stats", "/healthz", "/openapi.json", "/v1/stats/"])
def test_head_is_get_without_its_body(server: Serving, path: str) -> None:
    """HEAD gets the status and headers of GET, the length of the body included, and no body."""
    replies = [server.request(path, {"X-Request-Id": "same"}, method=method) for method in ("GET", "HEAD")]
    got, head = ({name: value for name, value in reply.headers.items() if name != "date"} for reply in replies)
    assert head == got
    assert (replies[0].status, replies[1].body) == (replies[1].status, b"")
    assert int(got["content-length"]) == len(replies[0].body)


@pytest.mark.parametrize("path", ["/v1/stats", *OPEN, "/metrics"])
def test_options_says_what_is_allowed(server: Serving, path: str) -> None:
    """OPTIONS is answered without a key, a body or a fault."""
    reply = server.request(path, method="OPTIONS", key=False)
    assert (reply.status, reply.body, reply.headers["Allow"]) == (204, b"", ALLOW)


@pytest.mark.parametrize("path", OPEN)
def test_what_is_open_needs_no_key(server: Serving, path: str) -> None:
    """Health, readiness, the OpenAPI document and its page are for everybody."""
    assert server.request(path, key=False).status == 200


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("target", ["/", "/?from=2026-05-01", "http://localhost", "http://localhost/"])
def test_the_root_leads_to_the_page(server: Serving, method: str, target: str) -> None:
    """Who opens the URL that the server prints is sent on to the page, for now, below whatever path a proxy has it."""
    reply = server.raw(f"{method} {target} HTTP/1.1", "Host: localhost", "Connection: close")
    assert (reply.status, reply.headers["Location"], reply.body) == (307, "docs", b"")
    assert "Cache-Control" not in reply.headers
    assert reply.headers["X-Request-Id"]


def test_the_metrics_need_a_key(server: Serving) -> None:
    """What the server counts of itself is told to those with a key, in the form of Prometheus."""
    assert server.request("/metrics", key=False).error == (401, "missing_bearer_token")
    reply = server.request("/metrics")
    assert reply.headers["Content-Type"].startswith("text/plain")
    assert b"\nmmstats_queries_running 0.0\n" in reply.body


def test_an_answer_says_what_it_is(server: Serving) -> None:
    """An answer is JSON of a stated length, kept by nobody unasked, with a request id, and names no software."""
    reply = server.stats()
    assert reply.headers["Content-Type"] == "application/json"
    assert reply.headers["Cache-Control"] == "private, no-cache"
    assert reply.headers["X-Request-Id"]
    assert reply.headers["ETag"]
    assert "Server" not in reply.headers


GARBAGE = {
    "no HTTP": b"hello\r\n\r\n",
    "TLS": bytes.fromhex("16030100c8010000c40303") + bytes(range(190)),
    "control characters in the path": b"GET /\x01 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "bytes above ASCII in the path": b"GET /v1/stats?event=\xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "blank in the path": b"GET /a b HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "folded header": b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\r\n\0: b\r\n\r\n",
    "two lengths": b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na",
    "two Hosts": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
    "no Host": b"GET /healthz HTTP/1.1\r\n\r\n",
    "1 MB of query string": b"GET /v1/stats?event=" + b"a" * (1 << 20) + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "1 MB of header": b"GET / HTTP/1.1\r\nHost: localhost\r\nX-A: " + b"a" * (1 << 20) + b"\r\n\r\n",
    "1 MB without an end": b"a" * (1 << 20),
}


@pytest.mark.parametrize("sent", GARBAGE.values(), ids=GARBAGE)
def test_what_is_no_http_is_refused_in_our_form(server: Serving, sent: bytes) -> None:
    """What is no request, or far too long a one, gets the envelope on a connection then closed; the server goes on."""
    reply = server.raw(sent=sent)
    assert reply.error == (400, "invalid_params")
    assert list(reply.json["details"]["fieldErrors"]) == ["request"]
    assert reply.headers["Connection"] == "close"
    assert server.request("/healthz").status == 200


def test_clients_that_say_nothing_do_not_hold_the_server_up(server: Serving) -> None:
    """With fifty silent connections open and one that has sent half a request, others are answered."""
    silent = [server.connect() for _ in range(50)]
    silent[0].sendall(b"GET /healthz HTTP/1.1\r\nHost: loc")
    assert server.stats().status == 200
    silent[0].sendall(b"alhost\r\nConnection: close\r\n\r\n")
    assert b'{"status":"up"}' in b"".join(iter(lambda: silent[0].recv(1 << 16), b""))
    for connection in silent:
        connection.close()


def test_many_requests_at_once_on_a_connection_are_answered_in_order(server: Serving) -> None:
    """Requests that a client sends without waiting are answered one after the other, in their order."""
    request = "GET {} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + KEY + "\r\n{}\r\n"
    asked = [request.format(question(limit=str(limit), group_by="path"), "") for limit in (3, 2, 1)]
    with server.connect() as connection:
        connection.sendall("".join([*asked, request.format("/none", "Connection: close\r\n")]).encode())
        received = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    bodies = [server.stats(limit=str(limit), group_by="path").body for limit in (3, 2, 1)]
    at = [received.index(body) for body in [*bodies, b'"not_found"']]
    assert at == sorted(at)


class BrokenKeyring:
    """A keyring with a bug."""

    def knows(self, _: object) -> bool:
        """Fail as no code expects it."""
        raise RuntimeError("the secret of the bug")


def test_a_bug_is_logged_and_not_told() -> None:
    """A bug is an `internal_error` of which the client learns the request's id and the log everything."""
    log = io.StringIO()
    app = build_app(keyring=BrokenKeyring(), log=log)
    reply = ask_app(app, question(), {"Authorization": f"Bearer {KEY}"})
    assert reply.error == (500, "internal_error")
    assert reply.json["details"] == {}
    (line,) = [line for line in log.getvalue().splitlines() if "event=bug" in line]
    assert "the secret of the bug" in line
    assert f"request_id={reply.headers['X-Request-Id']}" in line
    assert ask_app(app, "/healthz").status == 200


def test_every_code_has_the_contracts_status() -> None:
    """The codes and their statuses are the contract's, and one for pages of other origins."""
    assert {code: status for code, (status, _) in ERROR_CODES.items()} == {
        "invalid_params": 400,
        "invalid_group_by": 400,
        "invalid_host": 400,
        "missing_bearer_token": 401,
        "malformed_api_key": 401,
        "invalid_api_key": 401,
        "insufficient_scope": 403,
        "invalid_origin": 403,
        "not_found": 404,
        "method_not_allowed": 405,
        "rate_limited": 429,
        "internal_error": 500,
        "upstream_failed": 502,
        "overloaded": 503,
    }


def test_a_reply_without_the_envelope_is_noticed() -> None:
    """The helper that these tests rest on does not take any error for one in the envelope."""
    with pytest.raises(AssertionError):
        _ = Reply(404, {"Content-Type": "application/json"}, b'{"error":"not_found"}').error  # type: ignore[arg-type]
