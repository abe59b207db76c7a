"""The events that one question selects of some files, as lazy frames: columnar files by the engine, text by ours."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial

import polars as pl
from polars.io.plugins import register_io_source

from mmstats.files.event_file import EventFile
from mmstats.readers.bad_rows import count_bad_rows, count_passed_over
from mmstats.readers.columnar import FILE, ColumnarFiles
from mmstats.readers.integrity import check_stored
from mmstats.readers.parquet_pages import check_pages
from mmstats.readers.position import Position
from mmstats.readers.projection import VISITOR, Projection, Selection, hashed
from mmstats.readers.report import FileReport, ReadOptions, ReadReport
from mmstats.readers.schema_groups import group_by_schema
from mmstats.readers.statistics import FooterSummary, UnknownFooter, count_by_statistics, summarize_footers
from mmstats.readers.text_files import read_texts


def _followed(group: ColumnarFiles, options: ReadOptions) -> ColumnarFiles:
    """The same files, with a position where it is known how many rows each of them has."""
    counts = [options.rows[file.path] for file in group.files if file.path in options.rows]
    if len(counts) < len(group.files) or group.by_pyarrow:
        return group
    return replace(group, position=Position(group.files, counts, options.advance))


class Scan:
    """The events that one question selects of some files.

    Opening it reads schemas and judges the rows of columnar files, unless they were judged already or nothing is going
    to be read (`judge`); text files are read when the frame is collected.
    """

    def __init__(
        self, files: Sequence[EventFile], projection: Projection, options: ReadOptions, *, judge: bool = True
    ) -> None:
        self.files, self._projection, self._options = files, projection, options
        self._judge = judge
        self._texts = [file for file in files if file.format.is_text]
        self._bad: dict[str, int] = {}
        self._others: dict[str, int] = {}
        self._reports: dict[str, FileReport] = {}
        # Each with whether it has rows to leave out: a filter that the good case does not pay for.
        self._groups: list[tuple[ColumnarFiles, bool]] = []
        if len(self._texts) == len(files):
            return
        for group in group_by_schema([file for file in files if not file.format.is_text], projection):
            if judge:
                check_pages(group)
            judging = judge and (not group.is_stored or group.has_json)
            if judging and group.is_judged_as_read and not options.skip_bad_rows:
                group = replace(group, strict=True)  # noqa: PLW2901 - or the JSON would be parsed twice
            bad = count_bad_rows(group, skip=options.skip_bad_rows) if judging else {}
            self._groups.append((_followed(group, options), any(bad.values())))
            self._bad |= bad
            self._others |= count_passed_over(group) if judging else {}

    def frame(self, as_categories: Collection[str] = ()) -> pl.LazyFrame:
        """The selected columns of the selected events, lazily.

        Columns of `as_categories` that are Categorical in all the files are delivered as such.
        """
        names = [name for name in as_categories if self._has_categories(name)]
        self._check_stored()
        return self._with_texts([group.events(leave_out_bad=bad, as_categories=names) for group, bad in self._groups])

    def numbered(self, as_categories: Collection[str] = ()) -> pl.LazyFrame:
        """The frame with the number of the file that an event is from, its place in `files`, as the column FILE."""
        numbers = {file.path: number for number, file in enumerate(self.files)}
        names = [name for name in as_categories if self._has_categories(name)]
        self._check_stored()
        scans = [group.events(leave_out_bad=bad, as_categories=names, numbers=numbers) for group, bad in self._groups]
        return self._with_texts(scans, numbers)

    def _check_stored(self) -> None:
        selection = self._projection.selection
        for group, _ in self._groups if self._judge else ():
            check_stored(group, (*selection.columns, *selection.filtered))

    def _has_categories(self, column: str) -> bool:
        return bool(self._groups) and not self._texts and all(one.has_categories(column) for one, _ in self._groups)

    def for_each_batch(self, take: Callable[[pl.DataFrame], None]) -> None:
        """Give all the selected events to `take`, a bounded number at a time, and read on when it has returned."""
        for group, bad in self._groups:
            group.events(leave_out_bad=bad).sink_batches(take, engine="streaming")
        for frame in self._read_texts(None, None, None, None, None):
            take(frame)

    def count_by_statistics(self) -> tuple[int, pl.LazyFrame]:
        """How many of the selected events statistics prove, without reading them, and the rest to be counted."""
        known, frames, selection = 0, [], self._projection.selection
        for group, bad in self._groups:
            size = sum(file.size for file in group.files)
            # Without a range or filters the engine counts by the footers itself; of few bytes it is sooner read.
            pays = (selection.bounded or selection.where) and size >= self._projection.limits.statistics_bytes
            if bad or not pays or group.files[0].format.name != "parquet":
                proven, rest = 0, [group.events(leave_out_bad=bad)]
            else:
                proven, rest = count_by_statistics(group)
            if rest and self._judge:
                check_stored(group, selection.filtered)
            known += proven
            frames += rest
        return known, self._with_texts(frames)

    def beside_footers(self, columns: Collection[str]) -> Iterator[tuple[FooterSummary, pl.LazyFrame]]:
        """What the footers of Parquet files tell of some columns, and the events with their name and the others."""
        for group, _ in self._groups:
            known = FooterSummary(0, {}, None)
            with suppress(UnknownFooter):
                known = summarize_footers(group, columns)
            unknown = [name for name in columns if name != "timestamp" and name not in known.nulls]
            timestamp = [] if known.range else ["timestamp"]
            selection = Selection(tuple(dict.fromkeys(("event_name", *unknown, *timestamp))))
            narrow = replace(group, projection=replace(group.projection, selection=selection))
            check_stored(narrow, selection.columns)
            yield known, narrow.events()

    def report(self) -> ReadReport:
        """What reading found out so far; of text files, and of paths into JSON, once the frame is collected."""
        for group, _ in self._groups:
            found = group.columns_found()
            for path in (file.path for file in group.files):
                bad, others = self._bad.get(path, 0), self._others.get(path, 0)
                self._reports[path] = FileReport(found, bad, passed_over=others)
        return ReadReport(self._reports, tuple(self.files))

    def _with_texts(self, frames: list[pl.LazyFrame], numbers: Mapping[str, int] | None = None) -> pl.LazyFrame:
        selection = self._projection.selection
        if self._texts or not frames:
            schema = {**selection.schema, **({FILE: pl.UInt32()} if numbers is not None else {})}
            text = register_io_source(partial(self._read_texts, numbers), schema=pl.Schema(schema))
            frames = [*frames, text.with_columns(hashed(pl.col(VISITOR))) if selection.hashed else text]
        return pl.concat(frames)

    def _read_texts(
        self,
        numbers: Mapping[str, int] | None,
        columns: list[str] | None,
        predicate: pl.Expr | None,
        _rows: int | None,
        _batch: int | None,
    ) -> Iterator[pl.DataFrame]:
        """The events of the text files, in their order, as the engine asks for them."""
        for found in read_texts(self._texts, self._projection, self._options, numbers):
            if isinstance(found, pl.DataFrame):
                selected = found if predicate is None else found.filter(predicate)
                yield selected if columns is None else selected.select(columns)
            else:
                self._reports |= found
