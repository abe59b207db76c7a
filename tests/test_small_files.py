"""Many small text files answer as plain Python does, and are said to be at fault as each of them is by itself."""

import gzip
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmstats.cache import Cache
from mmstats.dataset import Dataset
from mmstats.engines.local.engine import answer
from mmstats.errors import DatasetError
from mmstats.files.event_file import partition_of
from mmstats.limits import Limits
from mmstats.question.query import StatsQuery
from mmstats.reports import Profile
from tests import oracle
from tests.drawn import AWKWARD, COLUMNS, NEAR, TEXTS, questions, write
from tests.oracle import Event

FOLDERS = ("", "", "country=DE/day=2", "country=%2F/day=2", "source=x/country=DE", "country=__HIVE_DEFAULT_PARTITION__")
EVENTS = st.lists(
    st.fixed_dictionaries({"timestamp": NEAR, **dict.fromkeys(COLUMNS[1:], st.sampled_from((*TEXTS, *AWKWARD)))}),
    max_size=4,
)
MARK = "\ufeff"


@dataclass(frozen=True)
class Small:
    """A small file: its bytes, the events in it, and how many of its rows cannot be read."""

    path: str
    data: bytes
    events: list[Event]
    bad: int


def text_of(value: Any) -> Any:
    """A value as it is written."""
    return value.isoformat() if isinstance(value, datetime) else value


def as_json(events: Sequence[Event], columns: Sequence[str]) -> list[str]:
    """Events as JSON objects, a line each."""
    return [json.dumps({name: text_of(event[name]) for name in columns}, ensure_ascii=False) for event in events]


def as_records(events: Sequence[Event], columns: Sequence[str], delimiter: str, *, bare: bool) -> list[str]:
    """Events as records of CSV without a header; texts that need no quotes have none where they are `bare`."""

    def field(text: str | None) -> str:
        if text is None:
            return ""
        plain = bare and text and not set(text) & set(f'"\r\n{delimiter}')
        return text if plain else '"' + text.replace('"', '""') + '"'

    return [delimiter.join(field(text_of(event[name])) for name in columns) for event in events]


BOOLEANS = st.sampled_from((False, False, True))
FAULTS = {
    "csv": ("x", "soon{0}soon", "\udcff{0}\udcff", '"'),
    "ndjson": ('{"timestamp"', '{"timestamp":"soon","event_name":"a"}', "[1]", '{"timestamp":"\udcff"}'),
    "json": ("1", '{"timestamp":"soon"}', "{}"),
}


@st.composite
def small_files(draw: st.DrawFn, number: int, *, sound: bool) -> Small:
    """A small file in any text format, written in any way that it may be, with rows that cannot be read or without."""
    kind = draw(st.sampled_from(("ndjson", "csv", "tsv", "json")))
    lacking = draw(st.sampled_from((frozenset(), frozenset(), {"country"}, {"source", "country", "anonymous_id"})))
    columns = [name for name in draw(st.sampled_from((COLUMNS, COLUMNS, COLUMNS[::-1]))) if name not in lacking]
    folder, events = draw(st.sampled_from(FOLDERS)), draw(EVENTS)
    delimiter = "\t" if kind == "tsv" else ","
    faults = [
        fault.format(delimiter * (len(columns) - 1)) if kind in ("csv", "tsv") else fault
        for fault in FAULTS["csv" if kind == "tsv" else kind]
    ]
    bad = (
        []
        if sound
        else draw(st.lists(st.sampled_from(faults), max_size=draw(st.sampled_from((0, 0, 1, 2))), unique=True))
    )
    lines = as_json(events, columns) if "json" in kind else as_records(events, columns, delimiter, bare=draw(BOOLEANS))
    lines = draw(st.permutations([*lines, *bad]))
    newline = draw(st.sampled_from(("\n", "\n", "\r\n")))
    if kind == "json" and (bad or draw(BOOLEANS)):
        text = f"[{f',{newline}'.join(lines)}]"
    else:
        head = [] if "json" in kind else [delimiter.join(columns)] * (lines != [] or draw(BOOLEANS))
        blank = [""] * draw(st.sampled_from((0, 0, 2)))
        text = newline.join([*head, *blank, *lines, *blank]) + newline * draw(BOOLEANS)
    data = (MARK * draw(BOOLEANS) + text).encode("utf-8", "surrogateescape")
    end = draw(st.sampled_from(("", "", "", ".gz", ".zst")))
    written = {"": bytes, ".gz": gzip.compress, ".zst": zstd}[end](data)
    if end and not sound and draw(st.integers(0, 9)) == 0:
        written = written[:-1]
    path = str(Path(folder, f"{number:02}.{kind}{end}"))
    named = {name: said for name, said in partition_of(path).items() if name in lacking}
    known = [{**event, **dict.fromkeys(lacking), **named} for event in events]
    return Small(path, written, known, len(bad))


def zstd(data: bytes) -> bytes:
    """The data, compressed."""
    return bytes(pa.compress(data, "zstd", asbytes=True))


@st.composite
def folders(draw: st.DrawFn, *, sound: bool) -> list[Small]:
    """Several small files."""
    return [draw(small_files(number, sound=sound)) for number in range(draw(st.sampled_from((2, 3, 9))))]


@st.composite
def batches(draw: st.DrawFn) -> Limits:
    """How many small files, and how large ones, are read together."""
    return Limits(
        settle_ns=-(10**9),
        text_batch_files=draw(st.sampled_from((2, 512))),
        text_batch_bytes=draw(st.sampled_from((2000, 1 << 20))),
        small_text_bytes=draw(st.sampled_from((700, 1 << 18))),
        text_block_bytes=draw(st.sampled_from((300, 4 << 20))),
    )


def written(files: Sequence[Small], folder: Path) -> list[Path]:
    """The files in a folder, in the order in which they are read."""
    for file in files:
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.data)
    return sorted((folder / file.path for file in files), key=str)


@given(folders(sound=True), batches(), questions(when=NEAR), st.booleans())
@settings(max_examples=60)
def test_small_files_answer_as_the_contract_says(
    files: list[Small], limits: Limits, query: StatsQuery, with_cache: bool
) -> None:
    """Small files in all text formats, however they are written, have the contract's answer, and are read once."""
    with tempfile.TemporaryDirectory() as folder:
        data, told = Path(folder, "events"), list[int]()
        written(files, data)
        cache = Cache(Path(folder, "cache")) if with_cache else None
        for _ in range(2):
            stats = answer(query, Dataset((str(data),), limits=limits), Profile(told.append), cache)
            assert stats.to_json() == oracle.answer(query, [event for file in files for event in file.events])
            if not with_cache and any(row["value"] for row in stats.rows):  # else it is looked for what may be wrong
                assert sum(told) == sum(len(file.data) for file in files)
            told.clear()


@given(folders(sound=False), batches(), questions(when=NEAR), st.booleans(), st.booleans())
@settings(max_examples=60)
def test_small_files_at_fault_are_told_as_each_by_itself(
    files: list[Small], limits: Limits, query: StatsQuery, with_cache: bool, skip: bool
) -> None:
    """A file among many small ones that cannot be read ends the question with the very error of that file alone.

    Where rows may be left out, as many are of each file as it has bad ones, and the others answer.
    """
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder, "events")
        paths = written(files, data)
        cache = Cache(Path(folder, "cache")) if with_cache else None

        def ask(path: Path, cache: Cache | None = None) -> Any:
            try:
                return answer(query, Dataset((str(path),), limits=limits, skip_bad_rows=skip), cache=cache)
            except DatasetError as error:
                return type(error), error.message, error.hint

        faults = [told for path in paths if isinstance(told := ask(path), tuple)]
        for _ in range(2):
            found = ask(data, cache)
            if faults:
                assert found in (faults if cache else faults[:1])  # with a cache smaller files are read first
                continue
            assert found.to_json() == oracle.answer(query, [event for file in files for event in file.events])
            left = {str(data / file.path): file.bad for file in files if file.bad}
            assert skip or not left
            told = [one for one in found.notices if one.startswith("left out")]
            assert len(told) == bool(left)
            if left:
                assert told[0].startswith(f"left out {sum(left.values())} row")
                assert all(f"{path} ({bad} row" in told[0] for path, bad in sorted(left.items())[:5])


@pytest.mark.parametrize("kind", ["ndjson", "csv"])
def test_many_small_files_are_parsed_by_the_hundred(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine is asked to parse hundreds of small files at once, not each, and a fault in one costs a few more."""
    event = {"timestamp": datetime(2026, 5, 1), "event_name": "a", "path": "/"}  # noqa: DTZ001 - UTC
    for number in range(400):
        write(tmp_path / f"{number:03}.{kind}", [event], ["timestamp", "event_name", "path"])
    calls: list[str] = []
    for owner, name in ((pl, "read_ndjson"), (pl, "from_arrow")):
        original = getattr(owner, name)

        def counted(*args: Any, original: Any = original, **options: Any) -> Any:
            calls.append("")
            return original(*args, **options)

        monkeypatch.setattr(owner, name, counted)
    dataset = Dataset((str(tmp_path),), skip_bad_rows=True)
    assert answer(StatsQuery(), dataset).rows == [{"value": 400}]
    assert 1 <= len(calls) < 4
    with (tmp_path / f"200.{kind}").open("a") as file:
        file.write("broken\n")
    calls.clear()
    assert answer(StatsQuery(), dataset).rows == [{"value": 400}]
    assert len(calls) < 40


def test_names_in_another_case_are_found_in_small_files_too(tmp_path: Path) -> None:
    """A file whose header has other capitals or blanks is read among others as it is by itself."""
    for number, header in enumerate(
        ["timestamp,event_name,country", "Timestamp, event_name ,COUNTRY", "timestamp,event_name,x"]
    ):
        (tmp_path / f"{number}.csv").write_text(f"{header}\n2026-05-01,a,DE\n")
    found = answer(StatsQuery(group_by=("country",)), Dataset((str(tmp_path),)))
    assert found.rows == [{"country": "DE", "value": 2}, {"country": None, "value": 1}]
