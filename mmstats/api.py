"""The Python door: one function that asks the stats question."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from functools import partial
from os import PathLike, environ, fspath
from typing import Any

from mmstats.answer import Stats
from mmstats.dataset import INPUT_FORMAT, TIMESTAMP_UNIT, read_columns
from mmstats.dialect import DIALECT
from mmstats.engine_address import read_engine
from mmstats.engines import engine_for
from mmstats.errors import Fault
from mmstats.memory import bounded, can_be_bounded
from mmstats.options import Option, read_values
from mmstats.question.instants import instant_text
from mmstats.question.parameters import DEFAULT_LIMIT, MAX_LIMIT, QUESTION
from mmstats.question.read import read_question
from mmstats.schemas import GEO_DATABASE, SCHEMA
from mmstats.settings import choose_dataset, settings_here
from mmstats.wording import read_size

Location = str | PathLike[str]


def stats(
    data: Location | Iterable[Location] | None = None,
    *,
    metric: str | Iterable[str] = "count",
    from_: str | date | datetime | None = None,
    to: str | date | datetime | None = None,
    event: str | Iterable[str] | None = None,
    group_by: str | Iterable[str] = (),
    interval: str | None = None,
    limit: int | None = DEFAULT_LIMIT,
    where: str | Iterable[str] = (),
    last: str | None = None,
    period: str | None = None,
    timezone: str | None = None,
    now: str | date | datetime | None = None,
    week_start: str | None = None,
    order: str | Iterable[str] = (),
    top: int | None = None,
    other: bool = False,
    compare: str | None = None,
    totals: bool = False,
    exact: bool = False,
    fill: bool = False,
    meta: bool = False,
    columns: Mapping[str, str] | None = None,
    input_format: str | None = None,
    timestamp_unit: str | None = None,
    delimiter: str | None = None,
    quote: str | None = None,
    records: str | None = None,
    timestamp_format: str | None = None,
    schema: str | PathLike[str] | None = None,
    geo_database: str | PathLike[str] | None = None,
    skip_bad_rows: bool = False,
    trust_partitions: bool = False,
    storage_options: Mapping[str, str] | None = None,
    max_memory: str | int | None = None,
    engine: str | None = None,
) -> Stats:
    """Count events, or distinct visitors, over a time range, grouped and bucketed.

    `data` is a file, folder or glob, or several; None takes `MMSTATS_DATA`, then `mmstats.toml`, then the bundled
    sample. Instants are ISO 8601 text, dates or datetimes, a naive one in UTC; `from_` is inclusive, `to` exclusive.
    A `limit` of None lifts it, `exact` counts visitors exactly, `fill` gives buckets without events a row of 0, and
    `columns` maps event columns to the data's names, as `{"event_name": "type"}`.

    `schema` is the tool that the data is an export of, or a TOML file that says how it is read; `geo_database` is a
    file that one of them may look up countries in.

    `where` are filters such as `"country in DE,FR"`. Instead of by `from_` and `to` a range is asked for by `last`,
    such as `"30d"`, or by `period`, such as `"last-month"`; `timezone` and `week_start` are by default those of the
    settings, and `now` is what both count from, by default the clock's time. `order` are keys of a row, with `-` for
    descending, and `meta` has the answer say what was asked.

    `metric` may be several, as a list: `"count"`, `"uniques"`, `"users"`, `"sessions"`, and `"sum:COLUMN"` as well as
    `avg`, `min` and `max`, which are of type `decimal.Decimal` in rows. `top` leaves the largest groups, to which
    `other` adds a row of all others; `compare` is `"previous"` or `"year"`, and `totals` has the answer say what all
    rows come to.

    `storage_options` say how object stores are reached, as `{"endpoint": "https://…", "region": "…"}`.

    `max_memory`, bytes or such as `"700MiB"`, refuses the question when the whole process takes more than about so
    much memory. That is done by an interrupt, which ends every other Polars query of the process too, and so is
    possible only in the main thread and where the interrupt's handler is Python's own. No setting bounds it here.

    `engine` computes the answer: "local", or a Spark Connect server, `"sc://HOST:PORT"`; None takes `MMSTATS_ENGINE`,
    then the user's own configuration, then the local one.

    Raises InvalidQuestion when the question is wrong, InvalidSettings when a settings file is, DatasetError when the
    events cannot be had, and TooMuchMemory; all are MmstatsError.
    """
    arguments: dict[str, object] = {
        "data": data,
        "columns": columns,
        "input_format": input_format,
        "timestamp_unit": timestamp_unit,
        "delimiter": delimiter,
        "quote": quote,
        "records": records,
        "timestamp_format": timestamp_format,
        "schema": None if schema is None else fspath(schema),
        "geo_database": None if geo_database is None else fspath(geo_database),
        "storage_options": storage_options,
        "max_memory": max_memory,
        "engine": engine,
        "metric": metric,
        "from": from_,
        "to": to,
        "event": event,
        "where": where if where != () else None,
        "last": last,
        "period": period,
        "timezone": timezone,
        "now": now,
        "week_start": week_start,
        "top": top,
        "compare": compare,
        "order": order if order != () else None,
        "interval": interval,
        "limit": None if top is not None and limit == DEFAULT_LIMIT else limit,  # the default bounds no largest groups
        "group_by": group_by,
    }
    written = {name: value for name, value in arguments.items() if value is not None}
    values, faults = read_values(_READERS, {**written, "metric": metric, "group_by": group_by})
    switches = {"all": limit is None, "other": other, "totals": totals, "exact": exact, "fill": fill, "meta": meta}
    texts = {parameter.name: values[parameter.name] for parameter in QUESTION if parameter.name in values}
    settings = settings_here(environ)
    query = read_question(
        texts | {name: ["true"] for name, on in switches.items() if on},
        faults=faults,
        defaults={"timezone": settings.timezone, "week_start": settings.week_start},
    )
    source = {
        "data": values.get("data", ()),
        "map": values.get("columns", {}),
        "input_format": values.get("input_format"),
        "timestamp_unit": values.get("timestamp_unit"),
        **{option.name: values.get(option.name) for option in (*DIALECT, SCHEMA, GEO_DATABASE)},
        "skip_bad_rows": skip_bad_rows,
        "trust_partitions": trust_partitions,
        "storage_option": values.get("storage_options", {}),
    }
    max_memory = values.get("max_memory")
    dataset = choose_dataset(source, settings).within(max_memory)
    return bounded(max_memory, lambda: engine_for(values.get("engine") or settings.engine)(query, dataset))


def _locations(data: object) -> tuple[str, ...]:
    locations = list(data) if isinstance(data, Iterable) and not isinstance(data, str | bytes) else [data]
    wrong = [type(one).__name__ for one in locations if not isinstance(one, str | PathLike)]
    if wrong:
        raise ValueError(f"must be a str or path, or several, not {wrong[0]}")
    if not locations:  # such as a glob of the caller's that matched nothing: the sample would be no answer to that
        raise ValueError("must name at least one location")
    return tuple(str(fspath(one)) for one in locations if isinstance(one, str | PathLike))


def _columns(columns: object) -> dict[str, str]:
    if not isinstance(columns, Mapping):
        raise ValueError(f"must be a mapping of event columns to names, not {type(columns).__name__}")
    return read_columns({_text(column): _text(name) for column, name in columns.items()})


def _storage_options(options: object) -> dict[str, str]:
    if not isinstance(options, Mapping) or not all(isinstance(text, str) for pair in options.items() for text in pair):
        raise ValueError("must be a mapping of str to str")
    return {name.lower(): value for name, value in options.items()}


def _size(size: object) -> int:
    if not isinstance(size, int | str) or isinstance(size, bool):
        raise ValueError(f"must be a str or int, not {type(size).__name__}")
    if isinstance(size, int) and size < 1:
        raise ValueError("must be more than nothing")
    size = read_size(size) if isinstance(size, str) else size
    if not can_be_bounded():
        raise ValueError("needs the main thread, and Python's own handler of interrupts")
    return size


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"must be a str, not {type(value).__name__}")
    return value


def _value(option: Option, value: object) -> Any:
    return option.read(_text(value))


def _texts(value: object) -> list[str]:
    return [_text(value)]


def _several(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if not isinstance(value, Iterable) or isinstance(value, bytes):
        raise ValueError(f"must be a str, or several, not {type(value).__name__}")
    texts = list(value)
    wrong = [type(text).__name__ for text in texts if not isinstance(text, str)]
    if wrong:
        raise ValueError(f"must be a str, or several, not {wrong[0]}")
    return texts


def _limit_texts(limit: object) -> list[str]:
    if limit in (0, -1):  # what lifts a limit elsewhere, and on the command line is answered by a flag
        raise ValueError(Fault(f"must be an integer from 1 to {MAX_LIMIT}, not {limit}", "None lifts the limit"))
    try:
        return [str(limit)]
    except ValueError:  # an int of thousands of digits
        raise ValueError(f"must be an integer from 1 to {MAX_LIMIT}") from None


def _group_by_texts(group_by: object) -> list[str]:
    if isinstance(group_by, str):
        return [group_by]
    # The order of the names is that of the columns, and a set has none.
    if not isinstance(group_by, Iterable) or isinstance(group_by, set | frozenset):
        raise ValueError(f"must be a str, or a list or tuple of them, not {type(group_by).__name__}")
    names = list(group_by)
    wrong = [type(name).__name__ for name in names if not isinstance(name, str)]
    if wrong:
        raise ValueError(f"must hold names of columns, not {wrong[0]}")
    return names


# How each argument is read; those of the question become the texts that every door reads.
_READERS: Mapping[str, Callable[[Any], Any]] = {
    "data": _locations,
    "columns": _columns,
    **{
        option.name: partial(_value, option)
        for option in (INPUT_FORMAT, TIMESTAMP_UNIT, *DIALECT, SCHEMA, GEO_DATABASE)
    },
    "storage_options": _storage_options,
    "max_memory": _size,
    "engine": lambda value: read_engine(_text(value)),
    "metric": lambda value: [",".join(_several(value))],
    "from": lambda value: [instant_text(value)],
    "to": lambda value: [instant_text(value)],
    "event": _several,
    "where": _several,
    "last": _texts,
    "period": _texts,
    "timezone": _texts,
    "now": lambda value: [instant_text(value)],
    "week_start": _texts,
    "order": lambda value: [",".join(_several(value))],
    "interval": _texts,
    "limit": _limit_texts,
    "top": lambda value: [str(value)],
    "compare": _texts,
    "group_by": _group_by_texts,
}
