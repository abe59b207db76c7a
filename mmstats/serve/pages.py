"""The pages beside the question: health, readiness, metrics, and the API described to machines and to people."""

import re
from base64 import b64encode
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from mmstats.errors import DatasetError
from mmstats.serve.envelope import Refused
from mmstats.serve.gate import Gate
from mmstats.serve.lookout import Lookout
from mmstats.serve.metrics import Metrics

_DOCS = Path(__file__).with_name("docs.html")


@dataclass(frozen=True, slots=True)
class Pages:
    """What is open to everybody, and the metrics, which are not."""

    gate: Gate
    lookout: Lookout
    metrics: Metrics
    openapi: bytes
    docs_page: str = field(default_factory=lambda: _DOCS.read_text(encoding="utf-8"))

    async def health(self, _: Request) -> Response:
        """Whether the server is up."""
        return Response(b'{"status":"up"}', media_type="application/json")

    async def readiness(self, _: Request) -> Response:
        """Whether the dataset can be read."""
        try:
            await self.lookout.identity()
        except DatasetError:
            return Refused("upstream_failed").response(503)
        return Response(b'{"status":"ready"}', media_type="application/json")

    async def description(self, _: Request) -> Response:
        """The OpenAPI document."""
        return Response(self.openapi, media_type="application/json")

    async def docs(self, _: Request) -> Response:
        """The page that shows the OpenAPI document to a person."""
        return HTMLResponse(self.docs_page, headers={"Content-Security-Policy": _policy(self.docs_page)})

    async def figures(self, request: Request) -> Response:
        """What the server counts of itself."""
        self.gate.check(request)
        text, content_type = self.metrics.text(request.headers.get("accept", ""))
        return Response(text, headers={"Content-Type": content_type})


@lru_cache(1)
def _policy(page: str) -> str:
    """What a page may do: run its own script, look as it says, ask this server, and nothing else."""
    script, style = (_digest(re.search(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)) for tag in ("script", "style"))
    return (
        f"default-src 'none'; script-src {script}; style-src {style}; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )


def _digest(element: re.Match[str] | None) -> str:
    assert element is not None
    return f"'sha256-{b64encode(sha256(element[1].encode()).digest()).decode()}'"
