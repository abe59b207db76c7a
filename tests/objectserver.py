"""A small object store on loopback that speaks as S3 or Azure does, and that fails on demand."""

import http.server
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import unquote
from xml.sax.saxutils import escape

_S3 = (
    "<Contents><Key>{key}</Key><LastModified>2026-05-01T00:00:00.000Z</LastModified><ETag>{etag}</ETag>"
    "<Size>{size}</Size></Contents>"
)
_AZURE = (
    "<Blob><Name>{key}</Name><Properties><Last-Modified>Fri, 01 May 2026 00:00:00 GMT</Last-Modified>"
    "<Etag>{etag}</Etag><Content-Length>{size}</Content-Length><Content-Type>x/x</Content-Type></Properties></Blob>"
)


class ObjectServer(http.server.ThreadingHTTPServer):
    """The objects of one bucket below a path, by key, all of them with the same ETag.

    A listing is S3's, or else Azure's, whose ETags have no quotes there. A request with another condition than the
    quoted ETag is refused. `fault` is given the method and the path of a request, and gives the status, reason and
    body of an answer that takes the place of the right one.
    """

    def __init__(self, root: str, objects: Mapping[str, bytes], *, is_azure: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.root, self.objects, self.is_azure = root, objects, is_azure
        self.etag = '"0x8D1"'
        self.fault: Callable[[str, str], tuple[int, str, str] | None] = lambda *_: None
        self.requests: list[str] = []

    @property
    def endpoint(self) -> str:
        """Its URL."""
        return f"http://127.0.0.1:{self.server_port}"

    def listing(self) -> bytes:
        """All objects, as the store lists them."""
        etag = self.etag.strip('"') if self.is_azure else self.etag
        one = _AZURE if self.is_azure else _S3
        listed = "".join(
            one.format(key=escape(key), size=len(content), etag=etag) for key, content in self.objects.items()
        )
        if self.is_azure:
            listed = f"<EnumerationResults><Blobs>{listed}</Blobs><NextMarker/></EnumerationResults>"
        else:
            listed = f"<ListBucketResult><IsTruncated>false</IsTruncated>{listed}</ListBucketResult>"
        return f'<?xml version="1.0" encoding="utf-8"?>{listed}'.encode()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ObjectServer

    def do_GET(self) -> None:
        """Answer with a listing, with an object, or with the range of it that is asked for."""
        path = unquote(self.path.partition("?")[0])
        self.server.requests.append(f"{self.command} {path}")
        fault = self.server.fault(self.command, path)
        if fault:
            self._send(fault[0], fault[2].encode(), fault[1])
        elif path.strip("/") == self.server.root:
            self._send(200, self.server.listing())
        else:
            self._send_object(self.server.objects.get(path.removeprefix(f"/{self.server.root}/")))

    do_HEAD = do_GET  # noqa: N815 - the library calls it by this name

    def _send_object(self, content: bytes | None) -> None:
        asked = self.headers.get("Range")
        if content is None:
            self._send(404)
        elif self.headers.get("If-Match", self.server.etag) != self.server.etag:
            self._send(412)
        elif asked:
            first, _, last = asked.removeprefix("bytes=").partition("-")
            start = int(first) if first else max(0, len(content) - int(last))
            end = min(int(last) + 1, len(content)) if first and last else len(content)
            self._send(206, content[start:end], **{"Content-Range": f"bytes {start}-{end - 1}/{len(content)}"})
        else:
            self._send(200, content)

    def _send(self, status: int, body: bytes = b"", reason: str | None = None, **headers: str) -> None:
        self.send_response(status, reason)
        headers |= {"ETag": self.server.etag, "Last-Modified": "Fri, 01 May 2026 00:00:00 GMT"}
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def serving_objects(root: str, objects: Mapping[str, bytes], *, is_azure: bool = False) -> Iterator[ObjectServer]:
    """A server of objects, until the end of the block."""
    server = ObjectServer(root, objects, is_azure=is_azure)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
