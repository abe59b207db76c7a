"""The server process: bound, run on a production server until a signal ends it, and stopped in order."""

import asyncio
import os
import signal
from collections.abc import Callable
from types import FrameType

import uvicorn

from mmstats.dataset import Dataset
from mmstats.errors import InvalidParams
from mmstats.events.identity import identify
from mmstats.serve.address import bind, resolve
from mmstats.serve.app import build
from mmstats.serve.connection import HEAD_SECONDS, Connection, make_room
from mmstats.serve.keyring import Keyring
from mmstats.serve.log import Log
from mmstats.serve.options import ServeOptions

# After the longest query, how long a client may take to receive its answer before a stopping server gives it up.
_GRACE_SECONDS = 5


class Server(uvicorn.Server):
    """The library's server, which after a graceful stop would end the process by the signal once more."""

    ended_by = 0

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
    files = identify(dataset).files
    address = resolve(options.host, options.port)
    if not (options.auth or address.is_loopback):
        raise InvalidParams({"no_auth": [f"is only for a loopback address, not {options.host}"]})
    make_room()
    # A module of that name in the folder that we are started in must not be taken for a library by the workers.
    os.environ["PYTHONSAFEPATH"] = "1"
    listening = bind(address)
    url = type(address)(address.family, listening.getsockname()).url
    app = build(dataset, options, keyring, log, loopback=address.is_loopback)
    config = uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        lifespan="on",
        loop="asyncio",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=int(HEAD_SECONDS),
        timeout_graceful_shutdown=options.query_timeout + _GRACE_SECONDS,
    )
    server = Server(config)
    log.info("started", url=url, files=files, pid=os.getpid())
    started(url)
    asyncio.run(server.serve([listening]))
    log.info("stopped", signal=signal.Signals(server.ended_by).name if server.ended_by else None)
    return server.ended_by
