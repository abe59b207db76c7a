"""Text files in batches: a file of any size by itself, small ones together, since the engine takes its time to begin.

The texts of small files of one kind are parsed and judged as one text, and each row is told by its place which file it
is from. Only sound files are read so. Where anything is wrong, the files are halved until the one at fault is alone,
and that one is read by itself: what is wrong with a file is said by its reader only.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

import polars as pl

from mmstats.errors import DatasetError
from mmstats.files.event_file import EventFile
from mmstats.limits import Limits
from mmstats.readers.columnar import FILE
from mmstats.readers.csv import CsvReader
from mmstats.readers.log_lines import LogReader
from mmstats.readers.ndjson import JsonReader
from mmstats.readers.projection import Judged, Projection, judge_rows, select_rows
from mmstats.readers.report import FileReport, InstantRange, ReadOptions
from mmstats.readers.small_text import Kind, SmallText, read_small

_READERS: "dict[str, type[JsonReader] | type[CsvReader] | type[LogReader]]" = {
    "ndjson": JsonReader,
    "json": JsonReader,
    "csv": CsvReader,
    "tsv": CsvReader,
    "log": LogReader,
}
_EXPANDED = 8  # times that compressed text is larger, as far as the size of a batch goes
_HAS = "has "  # before the name of a column: whether it has a value
_OTHER = "is no event"


class Batch(Protocol):
    """Reads one text file or several: `blocks` in any thread, then `take` of each in order, then the `reports`."""

    def blocks(self) -> Generator[Callable[[], Any]]:
        """A generator of functions, each of which parses the next block."""
        ...

    def take(self, block: Any) -> Iterator[pl.DataFrame]:
        """The events of a parsed block, which have the number of their file as FILE where files have numbers."""
        ...

    def reports(self) -> Mapping[str, FileReport]:
        """What reading found out, by path, once all blocks are taken."""
        ...

    def stop(self) -> None:
        """Have nothing more read; whoever reads gets an error, or no more than the file at hand."""
        ...


def batches_of(
    files: Sequence[EventFile], projection: Projection, options: ReadOptions, numbers: Mapping[str, int] | None
) -> list[Batch]:
    """The files in batches, in their order; with `numbers`, by path, events have that of their file."""
    batches: list[Batch] = []
    for some in _runs(files, projection.limits):
        if len(some) == 1:
            batches.append(OneFile(some[0], projection, options, numbers))
        else:
            batches.append(SmallFiles(some, projection, options, numbers))
    return batches


def _runs(files: Iterable[EventFile], limits: Limits) -> Iterator[list[EventFile]]:
    """Files that are read together: as many small ones as follow each other and fit, and each of the others alone."""
    run: list[EventFile] = []
    size = 0
    for file in files:
        bytes_ = file.size * (_EXPANDED if file.format.compression else 1)
        small = file.status is not None and bytes_ <= limits.small_text_bytes
        if run and (not small or len(run) == limits.text_batch_files or size + bytes_ > limits.text_batch_bytes):
            yield run
            run, size = [], 0
        if small:
            run.append(file)
            size += bytes_
        else:
            yield [file]
    if run:
        yield run


class OneFile:
    """A file by itself, read block by block."""

    def __init__(
        self, file: EventFile, projection: Projection, options: ReadOptions, numbers: Mapping[str, int] | None
    ) -> None:
        self._file = file
        self._reader: Any = _READERS[file.format.name](file, projection, options)
        self._number = None if numbers is None else pl.lit(numbers[file.path], pl.UInt32).alias(FILE)

    def blocks(self) -> Generator[Callable[[], Any]]:
        """How to read each block of the file; raises what the reader of its format raises, as all methods do."""
        return cast(Generator[Callable[[], Any]], self._reader.blocks())

    def take(self, block: Any) -> Iterator[pl.DataFrame]:
        """The events of a block."""
        for frame in self._reader.take(block):
            yield frame if self._number is None else frame.with_columns(self._number)

    def reports(self) -> Mapping[str, FileReport]:
        """What the blocks held."""
        return {self._file.path: self._reader.report()}

    def stop(self) -> None:
        """Cancel what is read from afar."""
        self._file.storage.cancel()


@dataclass(frozen=True, slots=True)
class SmallBlock:
    """What was read of small files: the events and the report of those that are sound, and which have to be read alone.

    Files are told by their place in the batch.
    """

    events: list[pl.DataFrame] = field(default_factory=list)
    reports: dict[int, FileReport] = field(default_factory=dict)
    alone: list[int] = field(default_factory=list)


class SmallFiles:
    """Small files as one block."""

    def __init__(
        self,
        files: Sequence[EventFile],
        projection: Projection,
        options: ReadOptions,
        numbers: Mapping[str, int] | None,
    ) -> None:
        self._files = files
        self._projection, self._options, self._numbers = projection, options, numbers
        self._reports: dict[str, FileReport] = {}
        self._stopped = False

    def blocks(self) -> Generator[Callable[[], SmallBlock]]:
        """How to read all the files."""
        yield self._read

    def take(self, block: SmallBlock) -> Iterator[pl.DataFrame]:
        """The events of all the files; raises what the first one at fault raises when it is read alone."""
        for place, report in block.reports.items():
            self._options.advance(self._files[place].size)
            self._reports[self._files[place].path] = report
        yield from block.events
        for place in sorted(block.alone):
            alone = OneFile(self._files[place], self._projection, self._options, self._numbers)
            with closing(alone.blocks()) as blocks:
                for parse in blocks:
                    yield from alone.take(parse())
            self._reports |= alone.reports()

    def reports(self) -> Mapping[str, FileReport]:
        """What the files held."""
        return self._reports

    def stop(self) -> None:
        """Read none of the other files."""
        self._stopped = True
        for storage in {file.storage for file in self._files}:
            storage.cancel()

    def _read(self) -> SmallBlock:
        block = SmallBlock()
        kinds: dict[Kind, dict[int, SmallText]] = {}
        held = 0
        for place, file in enumerate(self._files):
            if self._stopped:
                break
            text = None
            with suppress(DatasetError):  # which reading it alone will say
                text = read_small(file, self._projection)
            if text:
                kinds.setdefault(text.kind, {})[place] = text
                held += len(text.rows)
            else:
                block.alone.append(place)
            if held >= self._projection.limits.text_block_bytes or place + 1 == len(self._files):
                for kind, texts in kinds.items():
                    self._parse(kind, texts, block)
                kinds, held = {}, 0
        return block

    def _parse(self, kind: Kind, texts: Mapping[int, SmallText], block: SmallBlock) -> None:
        """Parse texts of one kind together, by halves where one of them is at fault."""
        sound = False
        with suppress(DatasetError):
            sound = self._parse_sound(kind, texts, block)
        places = [*texts]
        if not sound and len(places) == 1:
            block.alone.extend(places)
        elif not sound:
            for half in (places[: len(places) // 2], places[len(places) // 2 :]):
                self._parse(kind, {place: texts[place] for place in half}, block)

    def _parse_sound(self, kind: Kind, texts: Mapping[int, SmallText], block: SmallBlock) -> bool:
        """Whether the texts are sound; then they are added to the block."""
        parsed = kind.parse([*texts.values()], self._projection)
        if not parsed:
            return False
        raw, counts = parsed
        of_file = pl.DataFrame({FILE: [*texts], "rows": counts}, schema={FILE: pl.UInt32, "rows": pl.UInt32})
        of_row = of_file.filter(pl.col("rows") > 0).select(pl.col(FILE).repeat_by("rows").explode())[FILE]
        judged = judge_rows(self._with_folders(raw, kind, of_row), self._projection, {})
        if judged.bad.any():
            return False
        valued, ranges, others = _by_file(raw, judged, of_row)
        columns = kind.columns([*texts.values()], self._projection, [valued.get(place, set()) for place in texts])
        for place, count, found in zip(texts, counts, columns, strict=True):
            passed_over = others.get(place, 0)
            block.reports[place] = FileReport(found, rows=count, range=ranges.get(place), passed_over=passed_over)
        of_event = of_row if judged.others is None else of_row.filter(~judged.others)
        block.events.append(self._select(judged.events(), of_event))
        return True

    def _with_folders(self, raw: pl.DataFrame, kind: Kind, of_row: pl.Series) -> pl.DataFrame:
        """The raw columns, and those that the files lack and their folders name."""
        named = [name for name in kind.folders if name not in raw.columns]
        values = {name: [file.partition.get(name) for file in self._files] for name in named}
        return raw.with_columns(pl.Series(name, values[name], pl.String).gather(of_row) for name in named)

    def _select(self, frame: pl.DataFrame, of_row: pl.Series) -> pl.DataFrame:
        if self._numbers is None:
            return select_rows(frame, self._projection.selection)
        numbers = pl.Series(FILE, [self._numbers[file.path] for file in self._files], pl.UInt32)
        return select_rows(frame.with_columns(numbers.gather(of_row)), self._projection.selection, FILE)


def _by_file(
    raw: pl.DataFrame, judged: Judged, of_row: pl.Series
) -> tuple[dict[int, set[str]], dict[int, InstantRange | None], dict[int, int]]:
    """The raw columns that have values, the range of instants, and the rows that are no events, by file.

    They are of files that have rows.
    """
    has = raw.select(pl.all().is_not_null().name.prefix(_HAS)).with_columns(
        of_row, judged.rows["timestamp"].to_physical(), pl.lit(value=False).alias(_OTHER)
    )
    if judged.others is not None:
        has = has.with_columns(judged.others.alias(_OTHER))
    instant = pl.col("timestamp").filter(~pl.col(_OTHER))
    facts = has.group_by(FILE).agg(
        pl.col(f"^{_HAS}.*$").any(),
        instant.min().alias("first"),
        instant.max().alias("last"),
        pl.col(_OTHER).sum(),
    )
    valued: dict[int, set[str]] = {}
    ranges: dict[int, InstantRange | None] = {}
    others: dict[int, int] = {}
    for place, *values, first, last, other in facts.iter_rows():
        valued[place] = {name for name, value in zip(raw.columns, values, strict=True) if value}
        ranges[place] = None if first is None else (first, last)
        others[place] = other
    return valued, ranges, others
