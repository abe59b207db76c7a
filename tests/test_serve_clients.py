"""The clients that people have get the answer as they would ask for it."""

import json
import shutil
import subprocess
import urllib.parse
import urllib.request

import httpx

from tests.serving import KEY, RANGE, Serving

ASKED = {**RANGE, "event": "signup", "group_by": "source,medium", "interval": "day"}


def expected(server: Serving) -> bytes:
    """The answer as the tests' own client gets it."""
    reply = server.request("/v1/stats?" + urllib.parse.urlencode(ASKED))
    assert json.loads(reply.body)["rows"]
    return reply.body


def test_curl(server: Serving) -> None:
    """The answer comes to curl as it is, compressed or not."""
    curl = shutil.which("curl")
    assert curl
    fields = [part for name, text in ASKED.items() for part in ("--data-urlencode", f"{name}={text}")]
    command = [curl, "--silent", "--fail", "--noproxy", "*", "--get", *fields, "-H", f"Authorization: Bearer {KEY}"]
    for more in ([], ["--compressed"], ["--http2"], ["--http1.0"]):
        ran = subprocess.run([*command, *more, f"{server.url}/v1/stats"], capture_output=True, check=True)
        assert ran.stdout == expected(server)


def test_urllib(server: Serving) -> None:
    """Python's own client gets the answer."""
    url = f"{server.url}/v1/stats?{urllib.parse.urlencode(ASKED)}"
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {KEY}"})
    with urllib.request.urlopen(request, timeout=60) as reply:
        assert reply.read() == expected(server)


def test_httpx(server: Serving) -> None:
    """The answer comes to httpx on one connection again and again, and 304 when it has it."""
    with httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {KEY}"}, trust_env=False) as client:
        for _ in range(3):
            reply = client.get("/v1/stats", params=ASKED)
            assert (reply.status_code, reply.content) == (200, expected(server))
        again = client.get("/v1/stats", params=ASKED, headers={"If-None-Match": reply.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
