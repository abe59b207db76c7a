"""The server's log: one structured line an event on stderr, as text for a person or as JSON for a machine."""

import contextlib
import logging
from typing import Any, TextIO

import structlog
from structlog.processors import JSONRenderer, LogfmtRenderer, TimeStamper, add_log_level
from structlog.stdlib import ProcessorFormatter
from structlog.typing import FilteringBoundLogger, Processor

Log = FilteringBoundLogger
_FIRST = ("timestamp", "level", "event")


def open_log(form: str, stream: TextIO) -> Log:
    """The log on a stream; what the libraries say goes there as well, in the same form."""
    stamped: list[Processor] = [add_log_level, TimeStamper("iso", utc=True)]
    shown: list[Processor] = [structlog.processors.format_exc_info, _renderer(form)]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        ProcessorFormatter(processors=[ProcessorFormatter.remove_processors_meta, *shown], foreign_pre_chain=stamped)
    )
    for name in ("uvicorn.error", "asyncio"):
        library = logging.getLogger(name)
        library.handlers, library.propagate = [handler], False
        library.setLevel(logging.WARNING)
    log: Log = structlog.wrap_logger(
        _Lines(stream),
        processors=[*stamped, *shown],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    return log


class _Lines:
    """Writes lines to a stream; one that nobody reads any more is no reason to stop serving."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def info(self, line: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(line + "\n")
            self._stream.flush()

    warning = error = info


def _renderer(form: str) -> Any:
    if form == "json":
        return JSONRenderer(ensure_ascii=False)
    return LogfmtRenderer(key_order=_FIRST, drop_missing=True, bool_as_flag=False)
