"""The Python door: what `mmstats.stats` takes, what it gives back, and what it raises."""

import inspect
import json
import typing
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import mmstats
from mmstats.question.parameters import PARAMETERS
from tests.drawn import write
from tests.oracle import Event

MOMENTS = ("2026-05-01T00:00:00", "2026-05-01T12:00:00", "2026-05-02T00:00:00", "2026-05-02T23:59:59.999999")
SOURCES = ("b", "a", None, "b")


@pytest.fixture(autouse=True)
def nobodys_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test in a folder of its own, without anybody's settings."""
    monkeypatch.chdir(tmp_path)
    for name in ("MMSTATS_DATA", "MMSTATS_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / ".config"))


@pytest.fixture
def events(tmp_path: Path) -> Path:
    """Four events over two days."""
    rows: list[Event] = [
        {"timestamp": datetime.fromisoformat(moment), "event_name": "e", "source": source, "anonymous_id": "v"}
        for moment, source in zip(MOMENTS, SOURCES, strict=True)
    ]
    write(tmp_path / "events.parquet", rows)
    return tmp_path / "events.parquet"


def value(*data: Any, **question: Any) -> int:
    """The value of the only row."""
    (row,) = mmstats.stats(*data, **question).rows
    assert isinstance(row["value"], int)
    return row["value"]


def faults(**question: Any) -> dict[str, list[str]]:
    """What is wrong with each argument."""
    with pytest.raises(mmstats.InvalidParams) as refused:
        mmstats.stats(**question)
    return refused.value.field_errors


def test_signature_has_every_parameter_with_its_default() -> None:
    """Each parameter of the question is a keyword with the declared default; only the data may be positional."""
    arguments = inspect.signature(mmstats.stats).parameters
    for parameter in PARAMETERS:
        argument = arguments["from_" if parameter.name == "from" else parameter.name]
        assert argument.default == parameter.default
        assert argument.kind is inspect.Parameter.KEYWORD_ONLY
    assert arguments["data"].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    assert typing.get_type_hints(mmstats.stats)["return"] is mmstats.Stats


@pytest.mark.parametrize(
    "noon",
    [
        "2026-05-01T12:00:00Z",
        "2026-05-01 12:00",
        datetime(2026, 5, 1, 12),  # noqa: DTZ001 - a naive one is what is tested
        datetime(2026, 5, 1, 12, tzinfo=UTC),
        datetime(2026, 5, 1, 14, tzinfo=timezone(timedelta(hours=2))),
        datetime(2026, 5, 1, 12, 19, 32, tzinfo=timezone(timedelta(minutes=19, seconds=32))),
        datetime(2026, 4, 30, 12, 1, tzinfo=timezone(-timedelta(hours=23, minutes=59))),
    ],
    ids=repr,
)
def test_instants_may_be_text_or_datetimes(events: Path, noon: str | datetime) -> None:
    """Text, a naive datetime in UTC and an aware one of any zone name the same instant."""
    assert value(events, from_=noon) == 3
    assert value(events, to=noon) == 1


def test_dates_are_their_midnight(events: Path) -> None:
    """A date is midnight UTC, inclusive as `from_` and exclusive as `to`."""
    assert value(events, from_=date(2026, 5, 1), to=date(2026, 5, 2)) == 2
    assert value(events, from_=date(2026, 5, 2)) == 2


def test_datetimes_keep_their_microseconds(events: Path) -> None:
    """A microsecond of a datetime decides."""
    last = datetime(2026, 5, 2, 23, 59, 59, 999_999, tzinfo=UTC)
    assert value(events, from_=last) == 1
    assert value(events, to=last) == 3


@pytest.mark.parametrize(
    "group_by",
    [
        ["source", "event_name"],
        ("source", "event_name"),
        "source,event_name",
        " source , event_name,source ",
        ["source,event_name"],
        pytest.param(iter(["source", "event_name"]), id="an iterator"),
        dict.fromkeys(["source", "event_name"]),
        ["source", "", "event_name"],
    ],
    ids=repr,
)
def test_group_by_may_be_text_or_names(events: Path, group_by: str | Iterable[str]) -> None:
    """Comma-separated text, a list, a tuple or any ordered iterable of columns asks the same."""
    assert mmstats.stats(events, group_by=group_by).rows == [
        {"source": "b", "event_name": "e", "value": 2},
        {"source": "a", "event_name": "e", "value": 1},
        {"source": None, "event_name": "e", "value": 1},
    ]


@pytest.mark.parametrize("group_by", ["", (), []], ids=repr)
def test_no_columns_are_no_grouping(events: Path, group_by: str | Iterable[str]) -> None:
    """An empty text, tuple or list groups by nothing."""
    assert mmstats.stats(events, group_by=group_by).rows == [{"value": 4}]


def test_no_limit_lifts_it(tmp_path: Path) -> None:
    """The default limit is 100, None lifts it, and the answer says when it cut."""
    moment = datetime.fromisoformat("2026-05-01")
    write(tmp_path / "e.csv", [{"timestamp": moment, "event_name": str(number)} for number in range(1500)])
    found = [mmstats.stats("e.csv", group_by="event_name", **more) for more in ({}, {"limit": 1000}, {"limit": None})]
    assert [(len(stats.rows), stats.groups, stats.truncated) for stats in found] == [
        (100, 1500, True),
        (1000, 1500, True),
        (1500, 1500, False),
    ]


def test_extensions_are_arguments(events: Path) -> None:
    """Exact counting and filling are asked for by name."""
    assert value(events, metric="uniques", exact=True) == value(events, metric="uniques") == 1
    filled = mmstats.stats(events, interval="hour", fill=True, to="2026-05-02", limit=None)
    assert len(filled.rows) == 24


def test_columns_map_event_columns_to_the_datas_names(tmp_path: Path) -> None:
    """A mapping gives the data's names for event columns."""
    pl.DataFrame({"at": ["2026-05-01"], "type": ["e"], "who": ["v"]}).write_csv(tmp_path / "odd.csv")
    columns = {"timestamp": "at", "event_name": "type", "anonymous_id": "who"}
    found = mmstats.stats("odd.csv", metric="uniques", group_by="event_name", columns=columns)
    assert found.rows == [{"event_name": "e", "value": 1}]


def test_data_may_be_a_path_text_or_several(events: Path, tmp_path: Path) -> None:
    """A path, its text, a folder, a glob and any iterable of them name data; a file named twice counts once."""
    (tmp_path / "more").mkdir()
    write(tmp_path / "more" / "m.ndjson", [{"timestamp": datetime.fromisoformat(MOMENTS[0]), "event_name": "e"}])
    assert [value(one) for one in (events, str(events), tmp_path / "more", "*.parquet", tmp_path)] == [4, 4, 1, 4, 5]
    for several in (
        [events, "more"],
        ("more/*", str(events)),
        iter([events, tmp_path, events]),
        {events, Path("more")},
    ):
        assert value(several) == 5


def test_options_of_reading_are_arguments(tmp_path: Path) -> None:
    """Format, unit of timestamps and leaving bad rows out are asked for by name."""
    (tmp_path / "log").write_text('{"timestamp":1777593600,"event_name":"e"}\n{"timestamp":"soon","event_name":"e"}\n')
    found = mmstats.stats(tmp_path / "log", input_format="ndjson", timestamp_unit="s", skip_bad_rows=True)
    assert found.rows == [{"value": 1}]
    assert len(found.notices) == 1
    with pytest.raises(mmstats.BadRow):
        mmstats.stats(tmp_path / "log", input_format="ndjson")


def test_the_environment_then_the_sample_are_the_data(events: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an argument the data is MMSTATS_DATA, and without that the bundled sample."""
    assert value(event="signup") == 12
    monkeypatch.setenv("MMSTATS_DATA", str(events))
    assert value() == 4


def test_rows_are_plain_dicts(events: Path) -> None:
    """Rows are dicts with their keys in order: buckets and labels are str or None, values int."""
    stats = mmstats.stats(events, interval="day", group_by=["source", "os"])
    assert [list(row) for row in stats.rows] == [["bucket", "source", "os", "value"]] * 4
    kinds = [[type(field) for field in row.values()] for row in stats.rows]
    assert kinds[0] == [str, str, type(None), int]
    assert stats.labels == ("bucket", "source", "os")
    assert stats.metric == "count"


def test_to_json_is_the_answer(events: Path) -> None:
    """The JSON is the API's: metric, then rows, compact, without a final newline."""
    stats = mmstats.stats(events, interval="day")
    assert stats.to_json() == (
        '{"metric":"count","rows":[{"bucket":"2026-05-01 00:00:00","value":2},'
        '{"bucket":"2026-05-02 00:00:00","value":2}]}'
    )
    assert json.loads(stats.to_json())["rows"] == stats.rows


@pytest.mark.parametrize("event", ["e", "nothing"])
def test_to_polars_has_the_same_types_with_and_without_rows(events: Path, event: str) -> None:
    """The frame has String labels and an Int64 value, in the order of the row's keys, and the rows of the answer."""
    stats = mmstats.stats(events, event=event, interval="day", group_by=["source", "os"])
    frame = stats.to_polars()
    assert frame.schema == {"bucket": pl.String, "source": pl.String, "os": pl.String, "value": pl.Int64}
    assert frame.to_dicts() == stats.rows


def test_to_polars_takes_labels_that_come_late(tmp_path: Path) -> None:
    """A column whose first hundreds of labels are null keeps the later ones."""
    moment = datetime.fromisoformat("2026-05-01")
    nulls = [{"timestamp": moment, "event_name": str(number)} for number in range(500) for _ in range(2)]
    write(tmp_path / "e.parquet", [*nulls, {"timestamp": moment, "event_name": "e", "os": "late"}])
    frame = mmstats.stats("e.parquet", group_by="os,event_name", limit=None).to_polars()
    assert frame["os"].to_list()[-1] == "late"


WRONG: list[dict[str, Any]] = [
    {"limit": "x"},
    {"limit": True},
    {"limit": 10.0},
    {"limit": 0},
    {"limit": -1},
    {"limit": 1001},
    {"limit": 10**400},
    {"limit": 10**5000},
    {"limit": [5]},
    {"metric": None},
    {"metric": 5},
    {"metric": ""},
    {"metric": ["count", 5]},
    {"metric": []},
    {"top": 5},
    {"compare": "last"},
    {"compare": "previous"},
    {"from_": 5},
    {"from_": 1777593600.0},
    {"from_": True},
    {"from_": ""},
    {"from_": b"2026-05-01"},
    {"to": timedelta(days=1)},
    {"to": "tomorow"},
    {"to": datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1)))},
    {"to": datetime(9999, 12, 31, 23, tzinfo=timezone(-timedelta(hours=1)))},
    {"event": 5},
    {"event": b"e"},
    {"event": ""},
    {"event": "\udc80"},
    {"interval": 1},
    {"interval": "months"},
    {"interval": timedelta(days=1)},
    {"group_by": None},
    {"group_by": 5},
    {"group_by": b"source"},
    {"group_by": [1]},
    {"group_by": [None]},
    {"group_by": {"source", "medium"}},
    {"fill": True},
    {"exact": True},
    {"data": []},
    {"data": 5},
    {"data": [None]},
    {"data": b"events"},
    {"columns": "event_name=type"},
    {"columns": {"event_name": 5}},
    {"columns": {"event_name": ""}},
    {"columns": {5: "type"}},
    {"columns": {"event": "type"}},
    {"input_format": 5},
    {"input_format": "xml"},
    {"timestamp_unit": "m"},
    {"timestamp_unit": ["s"]},
]


@pytest.mark.parametrize("question", WRONG, ids="-".join)
def test_wrong_arguments_are_invalid_params(question: dict[str, Any]) -> None:
    """An argument of a wrong value or type is InvalidParams under its name, and nothing else is raised."""
    (argument,) = question
    found = faults(**question)
    assert list(found) == [argument.rstrip("_")]
    assert all(len(fault) < 500 for fault in found[argument.rstrip("_")])


def test_all_wrong_arguments_are_said_at_once() -> None:
    """Every wrong argument is listed in one error."""
    question: dict[str, Any] = {
        "metric": 5,
        "from_": 5,
        "limit": 0,
        "group_by": ["x"],
        "columns": {"y": "z"},
        "data": [],
    }
    assert set(faults(**question)) == {"metric", "from", "limit", "group_by", "columns", "data"}


def test_limit_and_text_agree() -> None:
    """A limit as text is read as the other doors read it."""
    assert len(mmstats.stats(group_by="path", limit="2").rows) == 2  # type: ignore[arg-type]


def test_wrong_columns_alone_are_invalid_group_by() -> None:
    """Columns outside the allow-list raise InvalidGroupBy with the offenders and what is allowed."""
    with pytest.raises(mmstats.InvalidGroupBy) as refused:
        mmstats.stats(group_by=["source", "campaigns"])
    assert refused.value.invalid == ["campaigns"]
    assert len(refused.value.allowed) == 8


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("absent.csv", None, mmstats.NotEvents),
        ("ftp://host/events/", None, mmstats.NotEvents),
        ("", None, mmstats.NotEvents),
        ("note.txt", b"events", mmstats.NotEvents),
        ("columns.csv", b"a,b\n1,2\n", mmstats.NotEvents),
        ("broken.parquet", b"PAR1 but no more", mmstats.Unreadable),
        ("broken.csv.gz", b"not gzip", mmstats.Unreadable),
        ("short.csv", b"timestamp,event_name\n2026-05-01\n", mmstats.BadRow),
        ("time.ndjson", b'{"timestamp":"soon","event_name":"e"}\n', mmstats.BadRow),
    ],
)
def test_data_that_cannot_be_had_is_a_dataset_error(
    tmp_path: Path, name: str, content: bytes | None, kind: type[mmstats.DatasetError]
) -> None:
    """Each way in which data cannot be had raises its own class, with a message that is one sentence."""
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(mmstats.DatasetError) as refused:
        mmstats.stats(name)
    assert isinstance(refused.value, kind)
    assert "\n" not in refused.value.message


def test_wrong_settings_are_invalid_settings(tmp_path: Path) -> None:
    """A wrong settings file raises InvalidSettings, which names it."""
    (tmp_path / "mmstats.toml").write_text("data = 5\n")
    with pytest.raises(mmstats.InvalidSettings, match=r"mmstats\.toml"):
        mmstats.stats()


def test_the_question_is_checked_before_the_data() -> None:
    """A wrong question about data that is not there is a wrong question."""
    assert list(faults(data="absent/", limit=0)) == ["limit"]


def test_errors_are_one_tree() -> None:
    """Every error that the package exports is an MmstatsError, and the tree is that of the documentation."""
    exported = [getattr(mmstats, name) for name in mmstats.__all__]
    errors = {one for one in exported if isinstance(one, type) and issubclass(one, Exception)}
    assert {error.__name__: error.__base__.__name__ for error in errors if error.__base__} == {
        "MmstatsError": "Exception",
        "InvalidQuestion": "MmstatsError",
        "InvalidParams": "InvalidQuestion",
        "InvalidGroupBy": "InvalidQuestion",
        "InvalidSettings": "MmstatsError",
        "DatasetError": "MmstatsError",
        "NotEvents": "DatasetError",
        "Unreadable": "DatasetError",
        "BadRow": "Unreadable",
        "TooMuchMemory": "MmstatsError",
        "OutputError": "MmstatsError",
    }


def test_every_export_is_documented() -> None:
    """All that the package exports exists and has a docstring of its own; nothing else is public but modules."""
    for name in mmstats.__all__:
        thing = getattr(mmstats, name)
        assert name == "Row" or (thing.__doc__ or "").strip(), name
    assert sorted(mmstats.__all__) == mmstats.__all__
