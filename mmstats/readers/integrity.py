"""Bytes that are not those that were written, found by the checksums that files have."""

import os
import re
import shutil
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mmstats.errors import Unreadable
from mmstats.files.checksums import check_file
from mmstats.files.event_file import EventFile
from mmstats.readers.columnar import ColumnarFiles
from mmstats.readers.projection import Projection
from mmstats.readers.pruning import FileRange, Overlap, overlap_of, raw_columns
from mmstats.storage.disk import DISK
from mmstats.wording import visible

_HEADER_BYTES = 32  # of a page that are looked at
_PAGE_FAULT = "CRC checksum verification failed"  # in Arrow's error for a page that has another checksum


def check_stored(group: ColumnarFiles, columns: Collection[str]) -> None:
    """Raise Unreadable where files of a store on disk are damaged in what is going to be read of some event columns.

    Before the engine reads them, since damage may end the process. What is in an object store would have to be fetched
    twice, and the object store has checksums of its own.
    """
    files = [file for file in group.files if file.stored and file.storage is DISK]
    raw, selection = raw_columns(group, columns), group.projection.selection

    def selects(first: int, last: int) -> bool:
        return overlap_of(FileRange(first, last), selection) is not Overlap.OUTSIDE

    def check(file: EventFile) -> None:
        if file.stored:
            check_file(file.path, file.stored.file, raw, selects, file.name)

    if files:
        with ThreadPoolExecutor(min(len(files), os.cpu_count() or 1)) as workers:
            for _ in workers.map(check, files):  # raises for the first that is damaged
                pass


def check_all(file: EventFile, projection: Projection) -> None:
    """Raise Unreadable for a file that is damaged anywhere that its checksums cover; a remote one is fetched for it.

    Of Parquet that is no store's they are of pages, where its writer has added them, of the columns projected.
    """
    if file.stored:
        with _on_disk(file) as path:
            check_file(path, file.stored.file, name=file.name or file.path)
    elif file.format.name == "parquet":
        with _on_disk(file) as path:
            _check_pages(path, file, projection)


def _check_pages(path: str, file: EventFile, projection: Projection) -> None:
    from pyarrow import ArrowException, parquet

    # What else the library cannot read is no fault: the engine may.
    with (
        suppress(ArrowException, OSError, ValueError),
        parquet.ParquetFile(path, page_checksum_verification=True) as opened,
    ):
        if not _has_page_checksums(path, opened.metadata):
            return
        own = opened.schema_arrow.names
        names = sorted({*projection.as_spelled_in(file, own).own_columns} & {*own})
        for number, name in product(range(opened.num_row_groups), names):
            try:
                opened.read_row_group(number, columns=[name])
            except OSError as error:
                if _PAGE_FAULT in str(error):
                    fault = f"{file}: damaged: a page of its column {visible(name)} is not what was written"
                    raise Unreadable(fault, hint="restore it") from None


def _has_page_checksums(path: str, footer: Any) -> bool:
    """Whether the first page of some column has a checksum, which few writers add: else nothing need be read.

    The checksum follows three integers in a page's header, which is in Thrift's compact protocol: a byte says that an
    integer comes next, the others of an integer but for its last have the highest bit.
    """
    with Path(path).open("rb") as file:
        for at in range(footer.num_columns if footer.num_row_groups else 0):
            file.seek(first_page(footer.row_group(0).column(at)))
            header = re.match(rb"(?:\x15[\x80-\xff]*[\x00-\x7f]){4}", file.read(_HEADER_BYTES))
            if header:
                return True
    return False


def first_page(chunk: Any) -> int:
    """Where the pages of a column chunk begin, by its metadata; its dictionary comes first."""
    return int(chunk.dictionary_page_offset if chunk.has_dictionary_page else chunk.data_page_offset)


@contextmanager
def _on_disk(file: EventFile) -> Iterator[str]:
    """The path of a file on disk; a remote one is copied, not kept: a dataset may be larger than the disk."""
    if file.storage is DISK:
        yield file.path
        return
    with TemporaryDirectory(prefix="mmstats-") as folder:
        copy = Path(folder, "copy")
        with file.storage.open(file.path) as stream, copy.open("wb") as target:
            shutil.copyfileobj(stream, target)
        yield str(copy)
