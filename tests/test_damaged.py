"""Files that are damaged end a question with exit 4 and their name; sound files are never blamed."""

import gc
import io
import sys
import warnings
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mmstats.cli import run
from mmstats.dataset import Dataset
from mmstats.engines.local.engine import answer
from mmstats.limits import Limits
from mmstats.question.query import StatsQuery

from .conftest import WRITERS, Ask, ndjson

ROWS = [{"timestamp": f"2026-05-0{1 + row % 9}", "event_name": "ab"[row % 2], "source": str(row)} for row in range(90)]
AT = datetime.fromisoformat("2026-05-01")


def _cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _zeroed(data: bytes) -> bytes:
    return data[:8] + bytes(len(data) - 16) + data[-8:]


def _footer(data: bytes) -> bytes:
    return data[:-30] + b"\xff" * 20 + data[-10:]


def _long_footer(data: bytes) -> bytes:
    return data[:-10] + b"\xff\xff\xff\x7f" + data[-6:]


def _head(data: bytes) -> bytes:
    return data[:4] + b"\xff" * 60 + data[64:]


DAMAGES = {
    "parquet": (_cut, _zeroed, _footer, _long_footer),
    "arrow": (_cut, _zeroed, _footer, _long_footer),
    "feather": (_cut, _zeroed, _head),  # a stream has no footer
}


@pytest.mark.parametrize("options", [(), ("--from", "2026-05-02", "--event", "a"), ("--group-by", "source")], ids=str)
@pytest.mark.parametrize(("extension", "damage"), [(name, damage) for name in DAMAGES for damage in DAMAGES[name]])
def test_a_damaged_file_is_named(
    ask: Ask, tmp_path: Path, extension: str, damage: Callable[[bytes], bytes], options: tuple[str, ...]
) -> None:
    """Whatever is asked, the answer is exit 4, never a traceback, and never an answer of half a file."""
    path = tmp_path / f"events.{extension}"
    path.write_bytes(damage(WRITERS[extension](ROWS)))
    ran = ask(path, *options)
    assert ran.code == 4
    assert str(path) in ran.err
    assert "Traceback" not in ran.err


def _parquet(**how: object) -> bytes:
    written = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(ROWS[:9]).drop_columns("source"), written, compression="none", **how)
    return written.getvalue()


def _with_header(data: bytes, version: str, field: str, value: int) -> bytes:
    """The file with another number, of one byte, in the header of its last data page, of event names.

    A header is pairs of bytes, the type of a number and the number.
    """
    chunk = pq.read_metadata(io.BytesIO(data)).row_group(0).column(1)
    sizes = {"uncompressed": 3, "compressed": 5}
    fields = {"1.0": {"values": 8}, "2.0": {"values": 8, "nulls": 10, "rows": 12, "levels": 16}}[version]
    at = data.index(b"\x15", chunk.data_page_offset) + {**sizes, **fields}[field]
    return data[:at] + bytes([(value << 1) ^ (value >> 63)]) + data[at + 1 :]


@pytest.mark.parametrize("value", [-1, 60])
@pytest.mark.parametrize(
    ("version", "field"),
    [
        *(("1.0", field) for field in ("values", "uncompressed", "compressed")),
        *(("2.0", field) for field in ("values", "nulls", "rows", "levels")),
    ],
)
def test_a_page_header_that_contradicts_the_file_is_named(
    ask: Ask, tmp_path: Path, version: str, field: str, value: int
) -> None:
    """What a page's header says of its values and sizes is not taken at its word, and bad rows are not the fault."""
    path = tmp_path / "events.parquet"
    whole = _parquet(data_page_version=version, use_dictionary=False)
    path.write_bytes(whole)
    assert ask(path, "--group-by", "event_name").code == 0
    path.write_bytes(_with_header(whole, version, field, value))
    ran = ask(path, "--group-by", "event_name", "--skip-bad-rows")
    assert ran.code == 4
    assert ran.error.startswith(
        f"{path}: cannot be read as Parquet (the pages of its column event_name contradict themselves: "
    )
    assert "hint: restore it" in ran.err


def test_a_text_that_lies_in_no_buffer_is_damage(ask: Ask, tmp_path: Path) -> None:
    """A view of Arrow that is longer than its place, and so refers to a buffer that is not there, names the file."""
    path, text = tmp_path / "events.arrow", b"twelve-bytes"
    pl.DataFrame({"timestamp": [AT], "event_name": [text.decode()]}).write_ipc(path, compression="uncompressed")
    whole = path.read_bytes()
    assert whole.count(b"\x0c\0\0\0" + text) == 1
    path.write_bytes(whole.replace(b"\x0c\0\0\0" + text, b"\x1c\0\0\0" + text))
    ran = ask(path, "--group-by", "event_name")
    assert ran.code == 4
    assert str(path) in ran.error


@pytest.mark.parametrize("field", ["text", "s.text", "l"])
@pytest.mark.parametrize("how", [{"data_page_version": "2.0"}, {"data_page_size": 64}, {"row_group_size": 7}], ids=str)
def test_sound_pages_of_any_form_are_read(ask: Ask, tmp_path: Path, field: str, how: dict[str, object]) -> None:
    """Long statistics, many pages and row groups, nested columns, and row groups without rows are no damage."""
    path = tmp_path / "events.parquet"
    rows = [{**row, "text": "x" * 400, "s": {"text": "y"}, "l": [1, 2] if row["source"] > "5" else []} for row in ROWS]
    table = pa.Table.from_pylist(rows)
    pq.write_table(table, path, write_batch_size=8, compression="zstd", **how)
    assert sum(row["value"] for row in ask(path, "--map", f"source={field}", "--group-by", "source").rows) == len(ROWS)
    pq.write_table(table.slice(0, 0), path)
    assert ask(path, "--map", f"source={field}").rows == [{"value": 0}]


def let_fail(patch: pytest.MonkeyPatch, error: BaseException, failing: range) -> None:
    """Let the engine fail at some of its steps that read files; where only one fails, at one that reads their rows.

    A schema that it fails at is read by another library.
    """
    steps = count()

    def failing_at(work: Callable[..., object]) -> Callable[..., object]:
        def stepped(frame: pl.LazyFrame, *arguments: object, **options: object) -> object:
            if "SCAN" in frame.explain() and next(steps) in failing:
                raise error
            return work(frame, *arguments, **options)

        return stepped

    names = ("collect", "sink_batches") if len(failing) == 1 else ("collect", "collect_schema", "sink_batches")
    for name in names:
        patch.setattr(pl.LazyFrame, name, failing_at(getattr(pl.LazyFrame, name)))


def codes_of_failures(ask: Ask, path: Path, error: BaseException, *, once: bool) -> list[int]:
    """How a question ends when the engine fails at its first step that reads the file, its second, … and at none.

    With `once` it fails at that step alone, else at all later ones as well.
    """
    codes: list[int] = []
    while 0 not in codes:
        first = len(codes)
        with pytest.MonkeyPatch.context() as patch:
            let_fail(patch, error, range(first, first + 1 if once else sys.maxsize))
            ran = ask(path, "--group-by", "source")
        codes.append(ran.code)
        assert ran.code != 4 or ran.error == f"{path}: cannot be read as Parquet ({error})"
    return codes


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    """A file that can be read."""
    (tmp_path / "events.parquet").write_bytes(WRITERS["parquet"](ROWS))
    return tmp_path / "events.parquet"


def test_a_panic_of_the_engine_is_a_damaged_file(ask: Ask, sound: Path) -> None:
    """A panic of Polars, which is no Exception, ends like any of its errors, at whatever step it comes up."""
    *failed, answered = codes_of_failures(ask, sound, pl.exceptions.PanicException("index out of bounds"), once=False)
    assert len(failed) > 1  # once it is known, a schema is not read again
    assert (set(failed), answered) == ({4}, 0)


def test_a_bug_is_not_blamed_on_a_sound_file(ask: Ask, sound: Path) -> None:
    """Where all files can be decoded, an error of Polars is reported as a bug."""
    codes = codes_of_failures(ask, sound, pl.exceptions.InvalidOperationError("our own doing"), once=True)
    assert codes[-2:] == [70, 0]
    assert set(codes) <= {4, 70, 0}


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        (pl.Series([timedelta(hours=25, microseconds=5), None]), ["P1DT1H0.000005S", None]),
        (pl.Series([time(1, 2, 3, 4), time(1, 2, 3)]), ["01:02:03", "01:02:03.000004"]),
        (pl.Series([None, None]), [None]),
        (pl.Series([Decimal("1.50"), None]), ["1.50", None]),
        (pl.Series([True, None]), ["true", None]),
        (pl.Series([[timedelta(1)], None]), ['["P1D"]', None]),
        (pl.Series(["x", None], dtype=pl.Categorical), ["x", None]),
    ],
    ids=lambda values: str(values.dtype) if isinstance(values, pl.Series) else "",
)
@pytest.mark.parametrize("column", ["source", "event_name"])
def test_every_type_has_a_text(
    ask: Ask, tmp_path: Path, values: pl.Series, texts: list[str | None], column: str
) -> None:
    """A column of any type can be grouped by, also where another one fills its nulls."""
    path = tmp_path / "events.parquet"
    frame = pl.DataFrame({"timestamp": [AT, AT], "event": [None, None]}, schema_overrides={"event": pl.String})
    frame.with_columns(values.alias(column)).write_parquet(path)
    rows = ask(path, "--group-by", column).rows
    assert sorted(str(row[column]) for row in rows) == sorted(map(str, texts))


@pytest.mark.parametrize("unit", ["us", "ms"])
@pytest.mark.parametrize("extension", ["parquet", "arrow"])
def test_timestamps_beyond_the_years_are_bad_rows(ask: Ask, tmp_path: Path, extension: str, unit: str) -> None:
    """A timestamp after the year 9999 is shown as the number that is stored."""
    path = tmp_path / f"events.{extension}"
    at = pl.Series([0, 2**62]).cast({"us": pl.Datetime("us"), "ms": pl.Datetime("ms")}[unit])
    frame = pl.DataFrame({"timestamp": at, "event_name": ["a", "a"]})
    write = frame.write_parquet if extension == "parquet" else frame.write_ipc
    write(path)
    assert ask(path).error == f'{path}: row 2: the timestamp "{2**62}" is no instant'


def test_a_footer_beyond_the_library_is_read_by_the_engine(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A column of 128-bit integers, which pyarrow cannot read, costs the use of statistics but no answer."""
    path = tmp_path / "events.parquet"
    at = pl.Series([AT, None])
    frame = pl.DataFrame({"timestamp": at, "event_name": ["a", "a"], "n": [1, 2]})
    frame.with_columns(pl.col("n").cast(pl.Int128)).write_parquet(path)
    dataset = Dataset((str(path),), skip_bad_rows=True, limits=Limits(statistics_bytes=0))
    assert answer(StatsQuery(start=AT.replace(tzinfo=UTC)), dataset).rows == [{"value": 1}]
    assert run(["describe", "--data", str(path)]) == 0
    assert '"rows":1' in capfd.readouterr().out


class _Stdin:
    """A pipe that events come through."""

    def __init__(self, data: bytes) -> None:
        self.buffer = io.BytesIO(data)

    def isatty(self) -> bool:
        """No terminal."""
        return False


@pytest.mark.parametrize("data", [ndjson(ROWS), b"{broken\n", WRITERS["csv"](ROWS)], ids=["sound", "bad row", "csv"])
@pytest.mark.parametrize("command", [("query",), ("query", "--skip-bad-rows"), ("describe",), ("describe", "--check")])
def test_nothing_is_left_of_a_pipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes, command: tuple[str, ...]
) -> None:
    """The copy of what came through a pipe is removed however the question ends, not left to the garbage collector."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("sys.stdin", _Stdin(data))
    gc.disable()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert run([*command, "--data", "-"]) in (0, 1, 4)
        assert list(tmp_path.iterdir()) == []
    finally:
        gc.enable()
