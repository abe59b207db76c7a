"""The Python door: one function that asks the stats question."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from os import PathLike, environ, fspath
from typing import TypeVar

from mmstats.answer import Stats
from mmstats.dataset import INPUT_FORMATS, TIMESTAMP_UNITS, Dataset, read_column
from mmstats.engine_address import read_engine
from mmstats.engines import engine_for
from mmstats.memory import bounded, can_be_bounded
from mmstats.question.instants import instant_text
from mmstats.question.parameters import DEFAULT_LIMIT, MAX_LIMIT
from mmstats.question.query import Extensions
from mmstats.question.read import read_question
from mmstats.settings import choose, settings_here
from mmstats.wording import one_of, read_size

Location = str | PathLike[str]
_Read = TypeVar("_Read")


def stats(
    data: Location | Iterable[Location] | None = None,
    *,
    metric: str = "count",
    from_: str | date | datetime | None = None,
    to: str | date | datetime | None = None,
    event: str | None = None,
    group_by: str | Iterable[str] = (),
    interval: str | None = None,
    limit: int | None = DEFAULT_LIMIT,
    exact: bool = False,
    fill: bool = False,
    columns: Mapping[str, str] | None = None,
    input_format: str | None = None,
    timestamp_unit: str | None = None,
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

    `storage_options` say how object stores are reached, as `{"endpoint": "https://…", "region": "…"}`.

    `max_memory`, bytes or such as `"700MiB"`, refuses the question when the whole process takes more than about so
    much memory. That is done by an interrupt, which ends every other Polars query of the process too, and so is
    possible only in the main thread and where the interrupt's handler is Python's own. No setting bounds it here.

    `engine` is who computes: "local", or a Spark Connect server, `"sc://HOST:PORT"`; None takes `MMSTATS_ENGINE`,
    then the user's own configuration, then the local one.

    Raises InvalidQuestion when the question is wrong, InvalidSettings when a settings file is, DatasetError when the
    events cannot be had, and TooMuchMemory; all are MmstatsError.
    """
    faults: dict[str, list[str]] = {}
    given = {"metric": metric, "from": from_, "to": to, "event": event, "interval": interval, "limit": limit}
    dataset = Dataset(
        _locations(data, faults),
        columns=_columns(columns, faults),
        input_format=_read("input_format", input_format, _one_of(INPUT_FORMATS), faults),
        timestamp_unit=_read("timestamp_unit", timestamp_unit, _one_of(TIMESTAMP_UNITS), faults),
        skip_bad_rows=skip_bad_rows,
        trust_partitions=trust_partitions,
        storage_options=_storage_options(storage_options, faults),
    )
    size = _read("max_memory", max_memory, _size, faults)
    address = _read("engine", engine, lambda value: read_engine(_text(value)), faults)
    query = read_question(
        {**_texts(given, faults), "group_by": _group_by(group_by, faults)},
        Extensions(exact=exact, fill=fill, unlimited=limit is None),
        faults=faults,
    )
    settings = settings_here(environ)
    chosen = choose(dataset, settings)
    return bounded(size, lambda: engine_for(address or settings.engine)(query, chosen))


def _locations(data: object, faults: dict[str, list[str]]) -> tuple[str, ...]:
    if data is None:
        return ()
    several = not isinstance(data, str | bytes | PathLike)
    given = list(data) if several and isinstance(data, Iterable) else [data]
    wrong = [type(one).__name__ for one in given if not isinstance(one, str | PathLike)]
    if wrong:
        faults["data"] = [f"must be a str or path, or several, not {wrong[0]}"]
    elif not given:  # such as a glob of the caller's that matched nothing: the sample would be no answer to that
        faults["data"] = ["must name at least one location"]
    return tuple(str(fspath(one)) for one in given if isinstance(one, str | PathLike))


def _group_by(group_by: object, faults: dict[str, list[str]]) -> list[str]:
    if isinstance(group_by, str):
        return [group_by]
    # The order given is the order of the columns, and a set has none.
    if not isinstance(group_by, Iterable) or isinstance(group_by, set | frozenset):
        faults["group_by"] = [f"must be a str, or a list or tuple of them, not {type(group_by).__name__}"]
        return []
    names = list(group_by)
    wrong = [type(name).__name__ for name in names if not isinstance(name, str)]
    if wrong:
        faults["group_by"] = [f"must hold names of columns, not {wrong[0]}"]
    return [] if wrong else names


def _columns(columns: object, faults: dict[str, list[str]]) -> dict[str, str]:
    mapped: dict[str, str] = {}
    if columns is None:
        return mapped
    if not isinstance(columns, Mapping):
        faults["columns"] = [f"must be a mapping of event columns to names, not {type(columns).__name__}"]
        return mapped
    for column, name in columns.items():
        try:
            mapped[read_column(_text(column))] = _named(name)
        except (TypeError, ValueError) as fault:
            faults["columns"] = [*faults.get("columns", []), str(fault)]
    return mapped


def _storage_options(options: object, faults: dict[str, list[str]]) -> dict[str, str]:
    if options is None:
        return {}
    if not isinstance(options, Mapping) or not all(isinstance(text, str) for pair in options.items() for text in pair):
        faults["storage_options"] = ["must be a mapping of str to str"]
        return {}
    return {name.lower(): value for name, value in options.items()}


def _named(name: object) -> str:
    if name == "":
        raise ValueError("must not map to an empty name")
    return _text(name)


def _read(name: str, value: object, read: Callable[[object], _Read], faults: dict[str, list[str]]) -> _Read | None:
    """An argument as `read` gives it, None where it is absent or, which is added to the faults, wrong."""
    try:
        return None if value is None else read(value)
    except (TypeError, ValueError) as fault:
        faults[name] = [str(fault)]
        return None


def _one_of(choices: Sequence[str]) -> Callable[[object], str]:
    return lambda value: one_of(_text(value), choices)


def _size(value: object) -> int:
    size = _bytes(value)
    if not can_be_bounded():
        raise ValueError("needs the main thread, and Python's own handler of interrupts")
    return size


def _bytes(value: object) -> int:
    if isinstance(value, str):
        return read_size(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"must be a str or int, not {type(value).__name__}")
    if value < 1:
        raise ValueError("must be more than nothing")
    return value


def _texts(given: Mapping[str, object], faults: dict[str, list[str]]) -> dict[str, list[str]]:
    """What is given, as the text that every door reads."""
    texts = {}
    for name, value in given.items():
        try:
            if value is not None or name == "metric":
                texts[name] = [_TEXT.get(name, _text)(value)]
        except (TypeError, ValueError) as fault:
            faults[name] = [str(fault)]
    return texts


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"must be a str, not {type(value).__name__}")
    return value


def _limit_text(value: object) -> str:
    try:
        return str(value)
    except ValueError:  # an int of thousands of digits
        raise ValueError(f"must be an integer from 1 to {MAX_LIMIT}") from None


_TEXT: Mapping[str, Callable[[object], str]] = {"from": instant_text, "to": instant_text, "limit": _limit_text}
