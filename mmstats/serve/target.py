"""What a request asks for: the path of its target in every form that HTTP has for it (RFC 9112, 3.2)."""

from urllib.parse import unquote

from starlette.types import ASGIApp, Receive, Scope, Send

_ABSOLUTE = (b"http://", b"https://")


class Target:
    """Reads an absolute target as the host and the path it names, and takes an encoded slash for no slash."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on with its own path."""
        if scope["type"] == "http":
            raw: bytes = scope["raw_path"]
            if raw.lower().startswith(_ABSOLUTE):
                host, _, rest = raw.partition(b"//")[2].partition(b"/")
                raw = b"/" + rest
                scope["headers"] = [(b"host", host), *(pair for pair in scope["headers"] if pair[0] != b"host")]
            path = raw.decode("ascii")
            scope["path"] = path if "%2f" in path.lower() else unquote(path)
        await self.app(scope, receive, send)
