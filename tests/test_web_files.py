"""Single files on servers of the web."""

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import mmstats
from tests.conftest import WRITERS, Ask
from tests.test_object_stores import ALL, ROWS


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves files, and ranges of them."""

    def end_headers(self) -> None:
        """Give a tag that may stand for several contents, as servers do that compress."""
        self.send_header("ETag", 'W/"weak"')
        super().end_headers()

    def do_GET(self) -> None:
        """Answer with a range where one is asked for, and refuse what is asked on condition of a weak tag."""
        if "If-Match" in self.headers:
            self.send_error(412)
            return
        asked = self.headers.get("Range")
        path = Path(self.translate_path(self.path))
        if asked is None or not path.is_file():
            super().do_GET()
            return
        content = path.read_bytes()
        first, _, last = asked.removeprefix("bytes=").partition("-")
        start = int(first) if first else max(0, len(content) - int(last))
        end = min(int(last) + 1, len(content)) if first and last else len(content)
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(content)}")
        self.send_header("Content-Length", str(end - start))
        self.send_header("Last-Modified", self.date_time_string(path.stat().st_mtime))
        self.end_headers()
        self.wfile.write(content[start:end])

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A server of a folder."""
    folder = tmp_path / "web"
    folder.mkdir()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", folder
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("extension", ALL)
def test_a_file_of_any_format_is_read(web: tuple[str, Path], extension: str) -> None:
    """By its URL, with signs encoded as URLs have them."""
    url, folder = web
    (folder / f"a ü.{extension}").write_bytes(ALL[extension](ROWS))
    answered = mmstats.stats(f"{url}/a%20%C3%BC.{extension}", group_by="path", interval="day")
    assert answered == mmstats.stats(folder, group_by="path", interval="day")


def test_what_is_not_there_or_may_be_secret(web: tuple[str, Path], ask: Ask) -> None:
    """Exit code 3; the query of a URL and a password are not repeated."""
    url, folder = web
    (folder / "x.parquet").write_bytes(WRITERS["parquet"](ROWS))
    assert ask(f"{url}/none.parquet").error == f"{url}/none.parquet: there is no such file"
    assert ask(f"{url}/").code == 3
    assert ask("http://[::1/x.parquet").code == 3
    for secret in (f"{url}/x.parquet?token=topsecret", url.replace("//", "//me:topsecret@") + "/x.parquet"):
        ran = ask(secret)
        assert (ran.code, "topsecret" in ran.err) == (3, False)
