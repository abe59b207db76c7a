"""The Python door: one function that asks the stats question."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from os import PathLike, environ, fspath
from pathlib import Path

from mmstats.answer import Stats
from mmstats.columns import read_column
from mmstats.dataset import Dataset, choose, read_option
from mmstats.engines import engine_for
from mmstats.instants import instant_text
from mmstats.query import DEFAULT_LIMIT, Extensions, read_question
from mmstats.settings import load_settings

Location = str | PathLike[str]


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
) -> Stats:
    """Count events, or distinct visitors, over a time range, grouped and bucketed.

    `data` is a file, folder or glob, or several; None takes `MMSTATS_DATA`, then `mmstats.toml`, then the bundled
    sample. Instants are ISO 8601 text, dates or datetimes, a naive one in UTC; `from_` is inclusive, `to` exclusive.
    A `limit` of None lifts it, `exact` counts visitors exactly, `fill` gives buckets without events a row of 0, and
    `columns` maps event columns to the data's names, as `{"event_name": "type"}`.

    Raises InvalidQuestion when the question is wrong, InvalidSettings when a settings file is, and DatasetError when
    the events cannot be had; all are MmstatsError.
    """
    faults: dict[str, list[str]] = {}
    given = {"metric": metric, "from": from_, "to": to, "event": event, "interval": interval, "limit": limit}
    dataset = Dataset(
        _locations(data),
        columns=_columns(columns or {}, faults),
        input_format=read_option("input_format", input_format, faults),
        timestamp_unit=read_option("timestamp_unit", timestamp_unit, faults),
        skip_bad_rows=skip_bad_rows,
        trust_partitions=trust_partitions,
    )
    query = read_question(
        {**_texts(given, faults), "group_by": [group_by] if isinstance(group_by, str) else list(group_by)},
        Extensions(exact=exact, fill=fill, unlimited=limit is None),
        faults=faults,
    )
    return engine_for()(query, choose(dataset, load_settings(Path.cwd(), environ)))


def _locations(data: Location | Iterable[Location] | None) -> tuple[str, ...]:
    if data is None:
        return ()
    return (fspath(data),) if isinstance(data, str | PathLike) else tuple(fspath(one) for one in data)


def _columns(columns: Mapping[str, str], faults: dict[str, list[str]]) -> dict[str, str]:
    mapped = {}
    for column, name in columns.items():
        try:
            mapped[read_column(column)] = name
        except ValueError as fault:
            faults["columns"] = [*faults.get("columns", []), str(fault)]
    return mapped


def _texts(given: Mapping[str, object], faults: dict[str, list[str]]) -> dict[str, list[str]]:
    """What is given, as the text that every door reads."""
    texts = {}
    for name, value in given.items():
        try:
            if value is not None:
                texts[name] = [instant_text(value) if name in ("from", "to") else str(value)]
        except TypeError as fault:
            faults[name] = [str(fault)]
    return texts
