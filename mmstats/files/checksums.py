"""Checksums in a store's files: a question reads what an import wrote, or ends with an error.

Parquet's own checksums do not suffice: they are of pages without their headers, and the engine does not look at them. A
checksum of the whole file would cost more than a question that reads one column of many. So each column chunk has one,
in a line of JSON between the last chunk and the footer: readers of Parquet go by the offsets in the footer, and pass
over what these do not name. The manifest has the checksum of the file's tail, which is that line and the footer.

They are XXH3 of 64 bits: read and hashed are ten gigabytes a second and core, with CRC-32 one to four.
"""

import json
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from mmstats.errors import Unreadable
from mmstats.files.manifest import RESTORE, StoreFile
from mmstats.resources import refused
from mmstats.wording import visible

_BLOCK = 1 << 18  # bytes that are read and hashed at once: they stay in the processor's cache


@dataclass(frozen=True, slots=True)
class RowGroup:
    """Where the column chunks of a row group end, and its first and last instant, in microseconds since 1970."""

    first: int
    last: int
    ends: Sequence[int]


class _Damage(Exception):
    """The bytes of a file are not those that were imported."""


def append_checksums(path: Path, columns: Sequence[str], row_groups: Sequence[RowGroup]) -> tuple[int, str]:
    """Add checksums of its column chunks to a Parquet file; how many bytes its tail has then, and their checksum.

    A chunk is what lies between the end of the one before it and its own.
    """
    with path.open("r+b") as file:
        footer_end = file.seek(-8, os.SEEK_END)  # the footer's length and PAR1 follow
        footer_start = footer_end - int.from_bytes(file.read(4), "little")
        block, start, groups = memoryview(bytearray(_BLOCK)), 0, []
        for group in row_groups:
            checksums = []
            for end in group.ends:
                checksums.append(_checksum_of(file, start, end, block))
                start = end
            groups.append({"first": group.first, "last": group.last, "ends": group.ends, "checksums": checksums})
        line = json.dumps({"columns": columns, "row_groups": groups}, separators=(",", ":")).encode() + b"\n"
        file.seek(footer_start)
        tail = line + file.read()
        file.seek(footer_start)
        file.write(tail)
    return len(tail), _checksum(tail)


def check_file(
    path: str,
    expected: StoreFile,
    columns: Collection[str] | None = None,
    selects: Callable[[int, int], bool] = lambda *_: True,
    name: str = "",
) -> None:
    """Raise Unreadable for a store's file on disk that is damaged where it is going to be read.

    That is its tail, and some of its `columns` or all of them in the row groups that a range `selects` by their first
    and last instant. Files of an older mmstats have no checksums, so that their size is all there is to check. The
    error has the file's `name`, or else its path.
    """
    try:
        block = memoryview(bytearray(_BLOCK))
        with Path(path).open("rb") as file:
            for column, start, end, checksum in _read_chunks(file, expected, columns, selects):
                if _checksum_of(file, start, end, block) != checksum:
                    raise _Damage(f"its column {column} is not what was imported")
    except _Damage as damage:
        raise Unreadable(f"{visible(name or path)}: damaged: {damage}", hint=RESTORE) from None
    except FileNotFoundError:
        raise Unreadable(f"{visible(name or path)}: the store has lost this file", hint=RESTORE) from None
    except OSError as error:
        raise refused(name or path, error) from None


def _read_chunks(
    file: BinaryIO, expected: StoreFile, columns: Collection[str] | None, selects: Callable[[int, int], bool]
) -> Iterator[tuple[str, int, int, str]]:
    """Column, start, end and checksum of the chunks to check, read from the tail of a file, which is checked first."""
    size = file.seek(0, os.SEEK_END)
    if size != expected.bytes:
        raise _Damage(f"it has {size:,} bytes instead of {expected.bytes:,}")
    if not expected.tail_checksum:
        return
    file.seek(size - expected.tail_bytes)
    tail = file.read()
    if _checksum(tail) != expected.tail_checksum:
        raise _Damage("its footer is not what was imported")
    if columns is not None and not columns:
        return
    known, start = json.loads(tail.partition(b"\n")[0]), 0
    places = [(at, column) for at, column in enumerate(known["columns"]) if columns is None or column in columns]
    for group in known["row_groups"]:
        starts = [start, *group["ends"]]
        if selects(group["first"], group["last"]):
            for at, column in places:
                yield column, starts[at], starts[at + 1], group["checksums"][at]
        start = starts[-1]


def _checksum(content: bytes) -> str:
    from xxhash import xxh3_64_hexdigest  # only stores need it

    return xxh3_64_hexdigest(content)


def _checksum_of(file: BinaryIO, start: int, end: int, block: memoryview) -> str:
    """The checksum of some bytes of a file; where it has fewer, that of what there is."""
    from xxhash import xxh3_64

    digest = xxh3_64()
    file.seek(start)
    while count := file.readinto(block[: end - start]):  # type: ignore[attr-defined]
        digest.update(block[:count])
        start += count
    return digest.hexdigest()
