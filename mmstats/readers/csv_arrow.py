"""CSV as Arrow is told to read it: strictly, columns as text, null apart from empty; and several texts as one."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl

from mmstats.errors import NotEvents
from mmstats.files.event_file import EventFile
from mmstats.readers.csv_quotes import is_quoted_rightly
from mmstats.readers.projection import Projection


def columns_to_read(file: EventFile, header: Sequence[str], projection: Projection) -> dict[str, str]:
    """The columns that the question reads of a file, each with its position as Arrow is told to name it.

    Raises NotEvents where the header has one of them twice.
    """
    columns = {}
    for name in projection.own_columns:
        if header.count(name) > 1:
            times = f"the header has {name!r} {header.count(name)} times"
            raise NotEvents(f"{file}: {times}", hint="rename one of them")
        if name in header:
            columns[name] = f"f{header.index(name)}"
    return columns or {"": "f0"}  # told of none, Arrow reads them all, and guesses their types


def arrow_options(
    header: Sequence[str],
    columns: Mapping[str, str],
    delimiter: str,
    block_bytes: int,
    on_wrong_length: Callable[[Any], str],
) -> dict[str, Any]:
    """How Arrow is to read records below a header strictly: columns as text, null apart from empty.

    `on_wrong_length` says of each record of another length than the header's whether to `skip` it or end in an `error`.
    """
    from pyarrow import csv

    return {
        "read_options": csv.ReadOptions(
            column_names=[f"f{index}" for index in range(len(header))], block_size=block_bytes, use_threads=False
        ),
        "parse_options": csv.ParseOptions(
            delimiter=delimiter, newlines_in_values=True, invalid_row_handler=on_wrong_length
        ),
        "convert_options": csv.ConvertOptions(
            include_columns=[*columns.values()],
            column_types=dict.fromkeys(columns.values(), "string"),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    }


def named(read: Any, columns: Mapping[str, str]) -> pl.DataFrame:
    """What Arrow has read as a frame, whose columns have their own names."""
    frame = pl.from_arrow(read)
    assert isinstance(frame, pl.DataFrame)
    return frame.rename({position: name for name, position in columns.items()})


def parse_together(
    texts: Sequence[bytes], header: Sequence[str], columns: Mapping[str, str], delimiter: str
) -> tuple[pl.DataFrame, list[int]] | None:
    """The raw columns of several texts below one header, and how many records each has; None where one is at fault.

    Behind each text comes a record of one field more than the header has, which Arrow tells the number of.
    """
    import pyarrow as pa
    from pyarrow import csv

    end = delimiter.join([secrets.token_hex(8)] * (len(header) + 1))  # what nobody can know, no data can hold
    whole = b"".join([part for text in texts for part in (text, f"\n{end}\n".encode())])
    ends: list[int] = []

    def on_wrong_length(row: Any) -> str:
        if row.text != end:
            return "error"
        ends.append(row.number)
        return "skip"

    if not all(is_quoted_rightly(text, delimiter) for text in texts):
        return None
    try:
        whole.decode()
        read = csv.read_csv(
            pa.BufferReader(whole), **arrow_options(header, columns, delimiter, len(whole), on_wrong_length)
        )
    except (UnicodeDecodeError, pa.ArrowInvalid):
        return None
    counts = [last - first - 1 for first, last in zip([0, *ends], ends, strict=False)]
    is_sound = len(counts) == len(texts) and sum(counts) == read.num_rows
    return (named(read, columns), counts) if is_sound else None
