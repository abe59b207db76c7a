"""The server process: bound, run on a production server until a signal ends it, and stopped in order."""

import asyncio
import os
import signal
import socket
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any, cast

import uvicorn
from starlette.applications import Starlette

from mmstats.dataset import Dataset
from mmstats.errors import InvalidParams
from mmstats.files.fingerprint import identify
from mmstats.serve.address import BACKLOG, Address, bind, resolve
from mmstats.serve.app import build
from mmstats.serve.connection import HEAD_SECONDS, Connection, Room
from mmstats.serve.keyring import Keyring
from mmstats.serve.log import Log
from mmstats.serve.options import ServeOptions

# After the longest query, how long a client may take to receive its answer before a stopping server gives it up.
_GRACE_SECONDS = 5
# The event loop accepts as many connections in a row as may wait; a flood of them must not hold up those who ask.
_ACCEPTED_AT_ONCE = 16


class Server(uvicorn.Server):
    """The library's server, which after a graceful stop would end the process by the signal once more."""

    def __init__(self, config: uvicorn.Config, started: Callable[[], None], stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self._started, self._stopping = started, stopping
        self.ended_by = 0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, and only then say so: from now on a signal ends the server in order."""
        await super().startup(sockets)
        for listening in sockets or ():
            listening.listen(BACKLOG)
        self._started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let what runs finish."""
        self._stopping()
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the library's signature
        """Stop in order at the first signal; a second interrupt stops at once."""
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self.should_exit = True
        self.ended_by = sig


def serve(
    dataset: Dataset, options: ServeOptions, keyring: Keyring | None, log: Log, started: Callable[[str], None]
) -> int:
    """Answer questions of a dataset until a signal ends it, which is returned; `started` is told the URL.

    Raises DatasetError when the events cannot be had, OutputError when the address cannot be.
    """
    address = resolve(options.host, options.port)
    if not (options.auth or address.is_loopback):
        raise InvalidParams({"no_auth": [f"is only for a loopback address, not {options.host}"]})
    files = identify(dataset).files
    listening = bind(address)
    url = Address(address.family, listening.getsockname()).url

    def announce() -> None:
        log.info("started", url=url, files=files, pid=os.getpid())
        started(url)

    app = build(dataset, options, keyring, log, loopback=address.is_loopback)
    server = Server(_config(app, options), announce, app.state.close)
    asyncio.run(server.serve([listening]))
    log.info("stopped", signal=signal.Signals(server.ended_by).name if server.ended_by else None)
    return server.ended_by


def _config(app: Starlette, options: ServeOptions) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=cast(Any, partial(Connection, Room(options.max_concurrency))),
        ws="none",
        lifespan="on",
        loop="asyncio",
        log_config=None,
        access_log=False,
        backlog=_ACCEPTED_AT_ONCE,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=int(HEAD_SECONDS),
        timeout_graceful_shutdown=options.query_timeout + _GRACE_SECONDS,
    )
