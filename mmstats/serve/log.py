"""The log on stderr, one line an event: columns for eyes on a terminal, else `key=value` or JSON for machines."""

import contextlib
import logging
import os
from typing import Any, TextIO

import structlog
from structlog.dev import (
    BRIGHT,
    CYAN,
    DIM,
    GREEN,
    RED,
    RESET_ALL,
    YELLOW,
    Column,
    ConsoleRenderer,
    KeyValueColumnFormatter,
    plain_traceback,
)
from structlog.processors import JSONRenderer, LogfmtRenderer, TimeStamper, add_log_level
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict, FilteringBoundLogger, Processor

from mmstats.api_keys import conceal
from mmstats.wording import plural, visible

Log = FilteringBoundLogger
_KEY_ORDER = ("timestamp", "level", "event")
_LEVEL_STYLES = {"warning": YELLOW}
_STATUS_STYLES = {2: GREEN, 3: CYAN, 4: YELLOW, 5: RED}
_MAX_TARGET = 100  # characters of a path and query that a person wants to read


def open_log(form: str | None, stream: TextIO) -> Log:
    """A log that writes to a stream as `text` or `json`, or for eyes if that is not said and the stream is a terminal.

    Uvicorn and asyncio log there as well.
    """
    stamp, render = _for_eyes() if form is None and stream.isatty() else _for_machines(form)
    render = [structlog.processors.format_exc_info, _make_harmless, *render]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        ProcessorFormatter(processors=[ProcessorFormatter.remove_processors_meta, *render], foreign_pre_chain=stamp)
    )
    for name in ("uvicorn.error", "asyncio"):
        library = logging.getLogger(name)
        library.handlers, library.propagate = [handler], False
        library.setLevel(logging.WARNING)
    log: Log = structlog.wrap_logger(
        _LineWriter(stream),
        processors=[*stamp, *render],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    return log


def _for_machines(form: str | None) -> tuple[list[Processor], list[Processor]]:
    """What stamps an event, and what makes a line of it: JSON, or `key=value`."""
    renderer: Any = (
        JSONRenderer(ensure_ascii=False)
        if form == "json"
        else LogfmtRenderer(key_order=_KEY_ORDER, drop_missing=True, bool_as_flag=False)
    )
    return [add_log_level, TimeStamper("iso", utc=True)], [renderer]


def _for_eyes() -> tuple[list[Processor], list[Processor]]:
    """The same for eyes: local time, and what is of the same width on every line first, so that the eye runs down."""
    colored = os.name == "posix" and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    reset = RESET_ALL if colored else ""

    def paint(text: str, style: str) -> str:
        return f"{style}{text}{reset}" if colored and style else text

    def value(style: str = "") -> KeyValueColumnFormatter:
        return KeyValueColumnFormatter(None, style if colored else "", reset, str)

    columns = [
        Column("", KeyValueColumnFormatter(DIM if colored else "", "", reset, str)),
        Column("timestamp", value(DIM)),
        Column(
            "level", lambda _, level: "" if level == "info" else paint(str(level), _LEVEL_STYLES.get(str(level), RED))
        ),
        Column("status", lambda _, status: paint(str(status), _STATUS_STYLES[int(str(status)) // 100])),
        Column("ms", lambda _, ms: f"{ms:9,.1f} ms"),
        Column("method", lambda _, method: f"{method:4}"),
        Column("event", value(BRIGHT)),
        Column("rows", lambda _, rows: plural(int(str(rows)), "row")),
        Column("cache", value(DIM)),
        Column("error", value(RED)),
        Column("message", value()),
        Column("notice", value(YELLOW)),
    ]
    console = ConsoleRenderer(columns=columns, sort_keys=False, exception_formatter=plain_traceback)
    return [add_log_level, TimeStamper("%H:%M:%S", utc=False)], [_name_by_target, console]


def _name_by_target(_: Any, __: str, event: EventDict) -> EventDict:
    """Name a request by what is asked for, shortened, and leave out what only serves to find it again."""
    if event["event"] == "request":
        query = event.pop("query", "")
        target = f"{event.pop('path')}?{query}" if query else event.pop("path")
        event["event"] = target if len(target) <= _MAX_TARGET else f"{target[: _MAX_TARGET - 1]}…"
        event.pop("request_id")
        if "notice" in event:
            event["level"] = "info"  # the notice is its warning
    return event


def _make_harmless(_: Any, __: str, event: EventDict) -> EventDict:
    """Escape what acts on a terminal or looks like another line, and hide keys, wherever a text of the line is from."""
    for name, value in event.items():
        if isinstance(value, str):
            lines = value.split("\n") if name == "exception" else [value]
            event[name] = "\n".join(conceal(visible(line)) for line in lines)
    return event


class _LineWriter:
    """Writes lines to a stream; when nobody reads it any more, the server goes on without a log."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def info(self, line: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(line + "\n")
            self._stream.flush()

    warning = error = info
