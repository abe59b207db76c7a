"""Text files read by several threads give what one thread gives, in the same order, and no more than is soon taken."""

import gzip
import json
import threading
import time
from datetime import datetime
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from mmstats.dataset import Dataset
from mmstats.errors import BadRow, NotEvents
from mmstats.files import text_file
from mmstats.files.event_file import EventFile, format_of
from mmstats.limits import Limits
from mmstats.readers import ndjson, text_files
from mmstats.readers.projection import Projection, Selection
from mmstats.readers.report import ReadLog
from mmstats.readers.scan import Scan
from mmstats.readers.source import open_events

from .test_blocks import blocks

WANTED = Selection(("timestamp", "path"))
FORMATS = ["ndjson", "ndjson.gz", "ndjson.zst", "csv", "csv.gz", "tsv"]
HEADERS = {"csv": "timestamp,event_name,path\n", "tsv": "timestamp\tevent_name\tpath\n"}
Row = tuple[str, str]


def encoded(rows: list[Row], form: str) -> bytes:
    """Timestamps and paths as a file of a format has them."""
    name, _, compression = form.partition(".")
    if name == "ndjson":
        lines = [json.dumps({"timestamp": at, "event_name": "a", "path": path}) + "\n" for at, path in rows]
    else:
        mark = "\t" if name == "tsv" else ","
        lines = [HEADERS[name], *(f"{at}{mark}a{mark}{path}\n" for at, path in rows)]
    data = "".join(lines).encode()
    if compression == "zst":
        return pa.compress(data, codec="zstd", asbytes=True)
    return gzip.compress(data) if compression else data


def numbered(count: int, file: int = 0) -> list[Row]:
    """So many good rows, each with a path of its own."""
    return [(f"2026-05-{1 + row % 28:02}T00:00:00.{row % 1000:03}Z", f"/{file}/{row}") for row in range(count)]


def files_of(folder: Path, form: str, *contents: list[Row]) -> list[Path]:
    """A file for each content, named in order."""
    paths = [folder / f"{index:02}.{form}" for index in range(len(contents))]
    for path, rows in zip(paths, contents, strict=True):
        path.write_bytes(encoded(rows, form))
    return paths


def opened(folder: Path, size: int | None = None, *, skip: bool = False, wanted: Selection = WANTED) -> Scan:
    """All the files of a folder, read in blocks of about so many bytes."""
    return open_events(
        Dataset((str(folder),), skip_bad_rows=skip, limits=blocks(size) if size else Limits()), wanted
    ).events()


def paths_in(events: Scan) -> list[str]:
    """The paths of the events, as they come."""
    found: list[str] = []
    events.hand_over(lambda frame: found.extend(frame["path"]))
    return found


def reading() -> list[str]:
    """The threads that read text."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("text")]


@pytest.mark.parametrize("form", FORMATS)
def test_several_files_at_once_give_the_rows_in_the_order_of_the_files(tmp_path: Path, form: str) -> None:
    """Large and small files, in many parts, come one after the other, each row once."""
    contents = [numbered(count, file) for file, count in enumerate((700, 3, 0, 400, 1, 900))]
    files_of(tmp_path, form, *contents)
    assert paths_in(opened(tmp_path, 2000)) == [path for rows in contents for _, path in rows]
    assert not reading()


@pytest.mark.parametrize("form", FORMATS)
def test_the_first_fault_in_the_order_of_the_files_is_named(tmp_path: Path, form: str) -> None:
    """A fault at the end of a long file goes before one at the beginning of the next."""
    late, early = [*numbered(900), ("soon", "/late")], [("never", "/early"), *numbered(3)]
    first = files_of(tmp_path, form, late, early, early)[0]
    with pytest.raises(BadRow) as raised:
        paths_in(opened(tmp_path, 2000))
    line = 901 + (not form.startswith("ndjson"))
    assert raised.value.message == f'{first}: line {line}: the timestamp "soon" is no instant'
    assert not reading()


@pytest.mark.parametrize("form", FORMATS)
def test_bad_rows_of_several_files_are_left_out_and_counted(tmp_path: Path, form: str) -> None:
    """Counts are by file, whatever thread came upon the rows."""
    bad = ("soon", "/bad")
    contents = [[bad, *numbered(500), bad], numbered(2), [*numbered(300), bad, *numbered(300)]]
    first, _, last = files_of(tmp_path, form, *contents)
    events = opened(tmp_path, 2000, skip=True)
    assert len(paths_in(events)) == 1102
    assert events.log.bad_rows == {str(first): 2, str(last): 1}


@pytest.mark.parametrize("form", FORMATS)
def test_the_span_of_a_file_is_that_of_all_its_readable_rows(tmp_path: Path, form: str) -> None:
    """What the range leaves out, and the parts of a file, do not narrow it; a file without rows has none."""
    rows = [*numbered(500), ("1969-12-31T23:59:59.5Z", "/first"), ("soon", "/bad"), ("2026-06-01", "/last")]
    full, none, bad = files_of(tmp_path, form, rows, [], [("soon", "/bad")])
    narrow = Selection(("path",), start=datetime.fromisoformat("2026-05-03"), end=datetime.fromisoformat("2026-05-04"))
    events = opened(tmp_path, 2000, skip=True, wanted=narrow)
    paths_in(events)
    june = int(datetime.fromisoformat("2026-06-01T00:00:00+00:00").timestamp()) * 1_000_000
    assert events.log.spans == {str(full): (-500_000, june), str(none): None, str(bad): None}


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_that_was_not_read_to_its_end_has_no_span(tmp_path: Path, form: str) -> None:
    """Whoever keeps what was learnt of a file learns nothing of one at fault."""
    good, _ = files_of(tmp_path, form, numbered(3), [*numbered(3), ("soon", "/bad")])
    events = opened(tmp_path)
    with pytest.raises(BadRow):
        paths_in(events)
    assert set(events.log.spans) == {str(good)}


def test_a_file_without_a_column_is_named_after_the_faults_before_it(tmp_path: Path) -> None:
    """A missing column is told in the order of the files, too."""
    bad, lacking = files_of(tmp_path, "csv", [*numbered(900), ("soon", "/bad")], [])
    lacking.write_text("when,path\n1,/\n")
    with pytest.raises(BadRow):
        paths_in(opened(tmp_path, 2000))
    bad.unlink()
    with pytest.raises(NotEvents):
        paths_in(opened(tmp_path))


@pytest.mark.parametrize("form", ["ndjson", "csv", "ndjson.gz"])
def test_bytes_read_are_told_once(tmp_path: Path, form: str) -> None:
    """Progress ends at the size of the files, although the end of a line is looked for ahead."""
    told: list[int] = []
    paths = files_of(tmp_path, form, numbered(9000), numbered(20))
    with open_events(Dataset((str(tmp_path),), limits=blocks(70_000)), WANTED, told.append) as source:
        paths_in(source.events())
    assert sum(told) == sum(path.stat().st_size for path in paths)


def files_and_shape(folder: Path, size: int) -> tuple[list[EventFile], Projection]:
    """The files of a folder, as the threads take them in blocks of about so many bytes."""
    found = [(str(path), format_of(path.name)) for path in sorted(folder.iterdir())]
    return [EventFile(path, form) for path, form in found if form], Projection(WANTED, limits=blocks(size))


def test_no_more_is_read_than_is_soon_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While nobody takes what was read, some parts of each of a few files are, however many there are."""
    begun: list[int] = []
    sift = ndjson.sift
    monkeypatch.setattr(ndjson, "sift", lambda *piece: begun.append(1) or sift(*piece))
    files_of(tmp_path, "ndjson", *[numbered(2000, file) for file in range(8)])
    threads = pl.thread_pool_size()
    frames = text_files.read_texts(*files_and_shape(tmp_path, 500), ReadLog())
    next(frames)
    time.sleep(0.5)
    assert len(begun) <= 2 * threads + text_files._AHEAD * (threads - 1)
    frames.close()


def test_whoever_stops_taking_leaves_no_thread_behind(tmp_path: Path) -> None:
    """A reader that is closed early ends its threads and closes its files."""
    files_of(tmp_path, "ndjson.gz", numbered(5000), numbered(5000))
    frames = text_files.read_texts(*files_and_shape(tmp_path, 500), ReadLog())
    next(frames)
    assert reading()
    frames.close()
    assert not reading()


def test_a_bug_in_a_thread_is_raised_where_the_rows_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody foresaw is neither lost nor waited for."""
    files_of(tmp_path, "ndjson", numbered(50))

    def failing(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(ndjson, "restrict", failing)
    with pytest.raises(ZeroDivisionError):
        paths_in(opened(tmp_path))
    assert not reading()


def test_blocks_of_a_file_end_where_its_lines_do(tmp_path: Path) -> None:
    """Compressed or not, with or without a last newline, the blocks are the file."""
    for text in (b"", b"a", b"a\n", b"a\nbb\nccc", b"\n\n\na\n", b"\xef\xbb\xbfa\nb" * 9):
        for name, data in (("x.ndjson", text), ("x.ndjson.gz", gzip.compress(text))):
            (tmp_path / name).write_bytes(data)
            form = format_of(name)
            assert form
            for size in (1, 2, 3, 5, 100):
                with text_file.open_bytes(EventFile(str(tmp_path / name), form)) as stream:
                    found = list(text_file.line_blocks(stream, size))
                assert b"".join(found) == text.removeprefix(b"\xef\xbb\xbf")
                assert all(block.endswith(b"\n") for block in found[:-1])
