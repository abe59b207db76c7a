"""Timestamps: every way of writing an instant names the instant that a plain reading of the contract finds."""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from math import floor
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmstats.dataset import Dataset
from mmstats.engines.local.engine import answer
from mmstats.errors import BadRow
from mmstats.question.instants import parse_instant
from mmstats.question.query import StatsQuery
from mmstats.readers.timestamps import TimestampForm, parse_text
from tests import oracle as contract
from tests.conftest import WRITERS, Ask
from tests.drawn import NEAR, Drawn, datasets, frame_of, questions
from tests.importing import rows_of

EPOCH = datetime.fromisoformat("1970-01-01")
FIRST, LAST = map(datetime.fromisoformat, ("0001-01-01", "9999-12-31T23:59:59.999999"))
PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
MAGNITUDES = ((10**11, "s"), (10**14, "ms"), (10**17, "us"))


def instant_of(value: Fraction | int, unit: str | None) -> datetime | None:
    """The instant of an epoch, floored to the microsecond, or None beyond 64 bits or the years 1 to 9999."""
    if not -(2**63) <= value < 2**63:
        return None
    named = unit or next((unit for bound, unit in MAGNITUDES if abs(value) < bound), "ns")
    micros = floor(Fraction(value) * 10**6 / PER_SECOND[named])
    first, last = ((edge - EPOCH) // timedelta(microseconds=1) for edge in (FIRST, LAST))
    return EPOCH + timedelta(microseconds=micros) if first <= micros <= last else None


def oracle(text: str, unit: str | None = None) -> datetime | None:
    """The instant that a text names: by the parser of the parameters, or as a decimal number."""
    named = re.fullmatch(r"([0-9-]{10}(?:[T ][0-9:.,]+)?) (?:UTC|Z)", text, re.ASCII)
    try:
        if named:  # of no zone, which is UTC
            return oracle(named[1])
        return parse_instant(text).astimezone(UTC).replace(tzinfo=None)
    except ValueError:
        pass
    if not re.fullmatch(r"-?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]{1,3})?", text, re.ASCII):
        return None
    if unit is None and is_calendar(f"{Decimal(text):f}" if "e" in text.lower() else text):
        return None
    return instant_of(Fraction(Decimal(text)), unit)


def is_calendar(text: str) -> bool:
    """Whether a number is the digits of a date of the years 1900 to 2199, which may be no epoch."""
    found = re.fullmatch(r"([0-9]{8}|[0-9]{14})(\.0*)?", text, re.ASCII)
    try:
        year = datetime.strptime(found[1].ljust(14, "0"), "%Y%m%d%H%M%S").year if found else 0  # noqa: DTZ007
    except ValueError:
        return False
    return 1900 <= year <= 2199


two = st.integers(0, 99).map("{:02}".format)
days = st.dates(date(1, 1, 1), date(9999, 12, 31)).map(date.isoformat)
odd_days = st.builds("{:04}-{}-{}".format, st.integers(0, 9999), two, two)
clocks = st.times().map(lambda at: at.isoformat("seconds"))
odd_clocks = st.builds("{}:{}:{}".format, two, two, two)
fractions = st.one_of(st.just(""), st.from_regex(r"[.,][0-9]{1,12}", fullmatch=True))
offsets = st.sampled_from(
    [
        "",
        "Z",
        "z",
        "+00:00",
        "-00:00",
        "+02:00",
        "-0530",
        "+14",
        "+23:59",
        "-23:59",
        "+24:00",
        "+02:60",
        " 02:00",
        "+2",
        "UTC",
        " UTC",
        " Z",
        "+02:00 UTC",
        " utc",
    ]
)
iso = st.builds(
    "{}{}{}{}{}".format,
    st.one_of(days, odd_days),
    st.sampled_from("TTTT t_"),
    st.one_of(clocks, clocks, odd_clocks, clocks.map(lambda text: text[:5])),
    fractions,
    offsets,
)
numbers = st.one_of(
    st.integers(-(10**20), 10**20).map(str),
    st.integers(-(10**12), 10**12).map(str),
    st.builds("{}.{}".format, st.integers(-(10**12), 10**12), st.from_regex(r"[0-9]{0,12}", fullmatch=True)),
    st.dates(date(1890, 1, 1), date(2210, 1, 1)).map("{:%Y%m%d}".format),
    st.datetimes(FIRST, LAST).map("{:%Y%m%d%H%M%S}.0".format),
    st.datetimes().map(lambda at: f"20{at:%y%m%d%H%M%S}"),
    st.sampled_from(["20260230", "20261301", "2.0260501e7", "020260501", "20260501240000", "-20260501"]),
    st.builds("{}e{}".format, st.integers(-9999, 9999), st.integers(-5, 16)),
    st.sampled_from(
        ["-0", "-0.5", "-0.0000001", "0", "00", "007", "1e3", "1.5E+9", "-1.7e9", "99999999999", "-99999999999.9"]
    ),
    st.builds(
        str,
        st.sampled_from(
            [sign * (10**power + step) for sign in (1, -1) for power in (11, 14, 17) for step in (-1, 0, 1)]
        ),
    ),
)
near = st.one_of(iso, days, odd_days, numbers).flatmap(
    lambda text: st.builds(
        lambda at, extra: text[:at] + extra + text[at:],
        st.integers(0, len(text)),
        st.sampled_from(["", " ", "\n", "0", "-", "é", "٣", "\0", "."]),
    )
)


@given(
    st.lists(st.one_of(iso, near, days, numbers), min_size=1, max_size=30),
    st.sampled_from([None, None, "s", "ms", "us", "ns"]),
)
@settings(max_examples=200)
def test_texts_are_read_as_the_parameters_are(texts: list[str], unit: str | None) -> None:
    """Texts in a column name the same instants as in a parameter, and numbers are epochs."""
    found = parse_text(pl.Series(texts, dtype=pl.String), TimestampForm(unit)).to_list()
    assert found == [oracle(text, unit) for text in texts]


@st.composite
def forms(draw: st.DrawFn) -> list[str | None]:
    """Texts of one form, some of which name no instant; now and then one of another form, or none."""
    sep, places = draw(st.sampled_from("T ")), draw(st.integers(0, 9))
    zone = draw(st.sampled_from(["", "Z", " Z", " UTC", "+00:00", "-05:30", "+0530", "-2359", "+24:00"]))
    edge = st.sampled_from(["2026-02-29", "2024-02-29", "0000-01-01", "0001-01-01", "9999-12-31", "1969-12-31"])
    part = st.integers(0, 61).map("{:02}".format)
    dates = st.sampled_from(draw(st.lists(edge | days, min_size=1, max_size=2)))
    texts: list[str | None] = []
    for _ in range(draw(st.integers(1, 6))):
        fraction = "." + draw(st.text("0123456789", min_size=places, max_size=places)) if places else ""
        texts.append(f"{draw(dates)}{sep}{draw(part)}:{draw(part)}:{draw(part)}{fraction}{zone}")
    return [*texts, *draw(st.lists(st.sampled_from([None, "2026-05-01", "1777600000", "soon"]), max_size=1))]


@given(st.lists(forms(), min_size=4, max_size=4), st.sampled_from(["csv", "ndjson"]))
@settings(max_examples=40)
def test_texts_of_one_form_name_what_each_names_alone(
    tmp_path_factory: pytest.TempPathFactory, files: list[list[str | None]], form: str
) -> None:
    """Timestamps of a file that are all of one form are read as each of them is alone."""
    folder = tmp_path_factory.getbasetemp() / "alike"
    folder.mkdir(exist_ok=True)
    expected = {}
    for number, texts in enumerate(files):
        rows = [{"timestamp": text, "event_name": f"{number} {row}"} for row, text in enumerate(texts)]
        (folder / f"{number}.{form}").write_bytes(WRITERS[form](rows))
        each = parse_text(pl.Series(texts, dtype=pl.String)).to_list()
        expected |= {row["event_name"]: at for row, at in zip(rows, each, strict=True) if at}
    found = rows_of(Dataset((f"{folder}/*.{form}",), skip_bad_rows=True))
    assert {row["event_name"]: row["timestamp"] for row in found} == expected


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-05-01", "2026-05-01 00:00:00"),
        ("2026-05-01T10:00", "2026-05-01 10:00:00"),
        ("2026-05-01 10:00:00", "2026-05-01 10:00:00"),
        ("2026-05-01T10:00:00+02:00", "2026-05-01 08:00:00"),
        ("2026-05-01T10:00:00.1234569-0230", "2026-05-01 12:30:00.123456"),
        ("2026-05-01T10:20:30.123456789+02:00", "2026-05-01 08:20:30.123456"),
        ("1969-12-31T23:59:59.000001Z", "1969-12-31 23:59:59.000001"),
        ("2026-05-01T10:00:00,5Z", "2026-05-01 10:00:00.500000"),
        ("1777593600", "2026-05-01 00:00:00"),
        ("1777593600000", "2026-05-01 00:00:00"),
        ("1777593600000000", "2026-05-01 00:00:00"),
        ("1777593600000000000", "2026-05-01 00:00:00"),
        ("1777593600.5", "2026-05-01 00:00:00.500000"),
        ("1.7775936e9", "2026-05-01 00:00:00"),
        ("-1", "1969-12-31 23:59:59"),
        ("-0.0000001", "1969-12-31 23:59:59.999999"),
        ("9999-12-31T23:59:59.9999999Z", "9999-12-31 23:59:59.999999"),
        ("0001-01-01T00:00:00Z", "0001-01-01 00:00:00"),
        ("2026-05-01T10:00:60Z", None),
        ("2026-05-01T24:00:00Z", None),
        ("2026-02-29", None),
        ("0000-01-01", None),
        ("9999-12-31T23:59:59-00:01", None),
        ("0001-01-01T00:00:00+00:01", None),
        ("2026-05-01T10:00:00 02:00", None),
        ("2026-5-1", None),
        ("20260501T100000Z", None),
        ("", None),
        ("today", None),
        ("inf", None),
        ("NaN", None),
        ("1_000", None),
        ("0x10", None),
        (" 2026-05-01", None),
    ],
)
def test_forms_of_text(tmp_path: Path, text: str, instant: str | None) -> None:
    """The forms of timestamp that the contract names are read, and texts that only look like them are bad rows."""
    (tmp_path / "a.csv").write_bytes(WRITERS["csv"]([{"timestamp": text, "event_name": "a"}] * 2))
    found = [str(row["timestamp"]) for row in rows_of(Dataset((f"{tmp_path}/a.csv",), skip_bad_rows=True))]
    assert found == [instant] * (2 if instant else 0)


def outcome(dataset: Dataset) -> list[datetime] | None:
    """The timestamps of a dataset in the order of their rows' numbers, or None when one of them is a bad row."""
    try:
        return [row["timestamp"] for row in sorted(rows_of(dataset), key=lambda row: int(row["path"]))]
    except BadRow:
        return None


@st.composite
def columns(draw: st.DrawFn) -> tuple[pl.Series, list[datetime | None], str | None]:
    """A typed column, the instants of its values, and the unit the user says."""
    kind = draw(st.sampled_from(["integer", "ns", "us", "ms", "date", "float", "zone"]))
    unit = draw(st.sampled_from([None, None, "s", "ms", "us", "ns"]))
    if kind == "integer":
        dtype = draw(st.sampled_from([pl.Int32, pl.Int64, pl.Int64, pl.UInt32, pl.UInt64]))
        low, high = int(pl.select(dtype.min()).item()), int(pl.select(dtype.max()).item())
        edge = st.sampled_from([10**11, 10**14, 10**17, 0, 1777593600, 1777593600123456789])
        near = st.builds(
            lambda at, step, sign: sign * (at + step), edge, st.integers(-2000, 2000), st.sampled_from([1, -1])
        )
        value = st.one_of(near, st.integers(low, high), st.sampled_from([low, high]))
        values = draw(st.lists(value.filter(lambda v: low <= v <= high), min_size=1, max_size=8))
        return pl.Series(values, dtype=dtype), [instant_of(value, unit) for value in values], unit
    if kind == "float":
        floats = draw(st.lists(st.floats(-1e12, 1e12, width=64), min_size=1, max_size=8))
        return pl.Series(floats), [instant_of(Fraction(Decimal(repr(value))), unit) for value in floats], unit
    if kind == "date":
        dates = draw(st.lists(st.dates(), min_size=1, max_size=8))
        return pl.Series(dates), [datetime.combine(one, time.min) for one in dates], unit
    named = "us" if kind == "zone" else kind
    span = {"ns": 2**63 - 1, "us": 3 * 10**17, "ms": 3 * 10**14}[named]
    stored = draw(st.lists(st.integers(-span, span), min_size=1, max_size=8))
    series = pl.Series(stored).cast(pl.Datetime(named))  # type: ignore[arg-type]
    if kind == "zone":
        series = series.dt.replace_time_zone("UTC").dt.convert_time_zone("America/New_York")
    return series, [instant_of(value, named) for value in stored], unit


def test_an_unsigned_epoch_of_64_bits_is_no_null(tmp_path: Path) -> None:
    """Nanoseconds that only an unsigned integer holds make a bad row, never a null."""
    path = tmp_path / "typed.parquet"
    pl.DataFrame({"timestamp": pl.Series([2**63], dtype=pl.UInt64), "event_name": ["a"]}).write_parquet(path)
    dataset = Dataset((str(path),), timestamp_unit="ns")
    with pytest.raises(BadRow):
        answer(StatsQuery(), dataset)
    assert outcome(dataset) is None


@given(columns(), st.data(), st.sampled_from(["parquet", "arrow"]))
@settings(max_examples=120)
def test_typed_columns_are_instants(
    tmp_path_factory: pytest.TempPathFactory,
    column: tuple[pl.Series, Sequence[datetime | None], str | None],
    data: st.DataObject,
    form: str,
) -> None:
    """Instants and epochs of any type and unit are floored to the microsecond and cut by any range exactly."""
    series, instants, unit = column
    path = tmp_path_factory.getbasetemp() / f"typed.{form}"
    rows = [str(row) for row in range(len(series))]
    frame = pl.DataFrame({"timestamp": series, "event_name": ["a"] * len(rows), "path": rows})
    (frame.write_parquet if form == "parquet" else frame.write_ipc)(path)
    dataset = Dataset((str(path),), timestamp_unit=unit)
    found = outcome(dataset)
    if None in instants:
        assert found is None
        return
    assert found == instants
    steps = [at + timedelta(microseconds=step) for at in instants if at for step in (0, 1) if at < LAST]
    bound = st.none() | st.datetimes(FIRST, LAST) | st.sampled_from(steps or [FIRST])
    start, end = data.draw(bound), data.draw(bound)
    wanted = [at is not None and (start or at) <= at and (not end or at < end) for at in instants]
    start, end = (at and at.replace(tzinfo=UTC) for at in (start, end))
    asked = answer(StatsQuery(group_by=("path",), start=start, end=end), dataset)
    assert [row["path"] for row in asked.rows] == [row for row, inside in zip(rows, wanted, strict=True) if inside]


@pytest.mark.parametrize("form", ["parquet", "ndjson"])
def test_the_least_integer_is_an_instant(ask: Ask, tmp_path: Path, form: str) -> None:
    """The least integer of 64 bits is an epoch in nanoseconds, in every format and range."""
    path = tmp_path / f"events.{form}"
    path.write_bytes(WRITERS[form]([{"timestamp": -(2**63), "event_name": "a"}]))
    day = {"bucket": "1677-09-21 00:00:00", "value": 1}
    assert [ask(path, "--interval", "day", *to).rows for to in ((), ("--to", "1677-09-22"))] == [[day], [day]]


@pytest.mark.parametrize("kind", ["ms", "us"])
def test_an_instant_beyond_the_calendar_is_a_bad_row(ask: Ask, tmp_path: Path, kind: str) -> None:
    """A stored instant before the year 1 or after 9999 is none, and its row is named."""
    late = pl.Series([0, 300_000_000_000_000_000]).cast(pl.Datetime("us")).dt.cast_time_unit(kind)  # type: ignore[arg-type]
    pl.DataFrame({"timestamp": late, "event_name": ["a", "b"]}).write_parquet(tmp_path / "a.parquet")
    ran = ask("a.parquet", "--interval", "day")
    assert ran.code == 4
    assert ran.error.startswith("a.parquet: row 2: the timestamp ")
    assert ask("a.parquet", "--interval", "day", "--skip-bad-rows").rows == [
        {"bucket": "1970-01-01 00:00:00", "value": 1}
    ]


def test_a_number_too_large_for_an_integer_is_a_bad_row(ask: Ask, tmp_path: Path) -> None:
    """An unsigned epoch beyond 63 bits is no instant."""
    large = pl.Series([1777593600, 2**64 - 1], dtype=pl.UInt64)
    pl.DataFrame({"timestamp": large, "event_name": ["a", "b"]}).write_parquet(tmp_path / "a.parquet")
    assert ask("a.parquet").error == 'a.parquet: row 2: the timestamp "18446744073709551615" is no instant'
    assert ask("a.parquet", "--skip-bad-rows").value == 1


@pytest.mark.parametrize("form", WRITERS)
def test_the_unit_may_be_said(ask: Ask, tmp_path: Path, form: str) -> None:
    """--timestamp-unit takes precedence over the magnitude, for numbers and for texts."""
    (tmp_path / f"a.{form}").write_bytes(WRITERS[form]([{"timestamp": "86400000", "event_name": "a"}]))
    assert ask(f"a.{form}", "--interval", "day").rows[0]["bucket"] == "1972-09-27 00:00:00"
    assert ask(f"a.{form}", "--interval", "day", "--timestamp-unit", "ms").rows[0]["bucket"] == "1970-01-02 00:00:00"
    assert ask(f"a.{form}", "--interval", "hour", "--timestamp-unit", "ns").rows[0]["bucket"] == "1970-01-01 00:00:00"


@pytest.mark.parametrize("value", ["1777593600", "1777593600.0", "1777593600000", "1.7775936e9", '"1777593600"'])
def test_json_numbers_are_epochs(ask: Ask, tmp_path: Path, value: str) -> None:
    """A JSON number, or its text, is an epoch, with or without a fraction or an exponent."""
    (tmp_path / "a.ndjson").write_text(f'{{"timestamp":{value},"event_name":"a"}}')
    assert ask("a.ndjson", "--interval", "day").rows == [{"bucket": "2026-05-01 00:00:00", "value": 1}]


@given(datasets(("parquet",), when=NEAR), questions(when=NEAR))
@settings(max_examples=40)
def test_columns_of_texts_are_timestamps_too(
    tmp_path_factory: pytest.TempPathFactory, drawn: Drawn, query: StatsQuery
) -> None:
    """Parquet with texts for timestamps has the contract's answer to any question, rows that are none left out."""
    path = tmp_path_factory.getbasetemp() / "texts.parquet"
    frame = frame_of(drawn.events).with_columns(pl.col("timestamp").dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ"))
    pl.concat([frame, frame.head(1).with_columns(timestamp=pl.lit("soon"))]).write_parquet(path)
    found = answer(query, Dataset((str(path),), skip_bad_rows=True))
    assert found.to_json() == contract.answer(query, drawn.events)


@pytest.mark.parametrize("form", ["csv", "ndjson", "json", "parquet", "arrow"])
@pytest.mark.parametrize("word", [" UTC", " Z"])
def test_an_instant_may_end_in_utc(ask: Ask, tmp_path: Path, form: str, word: str) -> None:
    """Texts that end in UTC, as a warehouse exports them, are that instant, alone and among others."""
    texts = ["2026-05-01 12:00:00", "2026-05-01 12:30:00.123456", "2026-05-01T12:59", "2026-05-01T12:00:00.5"]
    for some in (texts[:1], texts, [*texts, "2026-05-01T14:00:00+02:00"]):
        rows = [{"timestamp": one if "+" in one else one + word, "event_name": "a"} for one in some]
        (tmp_path / f"a.{form}").write_bytes(WRITERS[form](rows))
        expected = [{"bucket": "2026-05-01 12:00:00", "value": len(some)}]
        assert ask(f"a.{form}", "--interval", "hour").rows == expected
