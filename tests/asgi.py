"""The ASGI application for the tests, asked in the same process: for what no real server can be made to do."""

import asyncio
import io
from collections.abc import Mapping
from email.message import Message
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette

from mmstats.dataset import Dataset
from mmstats.serve.app import build
from mmstats.serve.log import open_log
from mmstats.serve.options import ServeOptions
from tests.serving import ROOT, Reply


def build_app(
    data: Path = ROOT / "sample_data",
    options: ServeOptions | None = None,
    keyring: Any = None,
    log: io.StringIO | None = None,
) -> Starlette:
    """The application without a server; it computes no answers, for its workers are the server's to start and end."""
    opened = open_log("text", log or io.StringIO())
    return build(Dataset((str(data),)), options or ServeOptions(), keyring, opened, loopback=True)


def ask_app(app: Starlette, path: str, headers: Mapping[str, str] | None = None) -> Reply:
    """The reply of an application to one request, an error of its own being a 500."""

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.get(path, headers=headers)

    response = asyncio.run(ask())
    received = Message()
    for name, value in response.headers.multi_items():
        received[name] = value
    return Reply(response.status_code, received, response.content)
