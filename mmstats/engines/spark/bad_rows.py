"""Bad rows, and files that the cluster cannot read: it tells that there are some, this machine tells which.

The cluster counts the rows that it suspects, from statistics where these can tell. Only a file that has some is read
here, by the local engine's reader, which names or counts bad rows as it always does. Where it can read a row that the
cluster suspects, the question is refused: no answer without that row would be right. So a good dataset is not read
here, and a bad one has the same error on every engine.

A file that the cluster fails to read is found there too. Only what a server says of a file and its content is a file's
fault; a lost executor, a refused plan or a silent server is not, and nothing is read here then.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import unquote

from pyspark.errors import AnalysisException, PySparkException
from pyspark.sql.connect import functions as F

from mmstats.engines.spark.errors import CLUSTER_ERRORS, refused
from mmstats.engines.spark.scan import NO_TEXT, Scan, union_all
from mmstats.files.event_file import EventFile
from mmstats.readers.report import ReadLog
from mmstats.readers.scan import read_through
from mmstats.readers.source import Source

_BATCH = 16  # scans that are counted in one query
_COUNT, _INDEX = "count'", "index'"
# What Spark says of a file, then what Sail does.
_FILE_ERROR = re.compile(rf"(?i)FAILED_READ_FILE|CANNOT_READ_FILE|{NO_TEXT}|parquet (?:argument )?error|invalid utf-8")
_FILE_PATH = re.compile(r"(?s)(?:FAILED_READ_FILE|CANNOT_READ_FILE).*? (?:file:/+|[a-z0-9]+://)(\S.*?)\.? +SQLSTATE")


def check_rows(scans: Sequence[Scan], log: ReadLog) -> None:
    """Raise what is wrong with the first bad row, or count bad rows where the log says to leave them out."""
    unchecked = [scan for scan in scans if not scan.files[0].stored]
    for scan, suspects in zip(unchecked, _count_suspects(unchecked), strict=True):
        files = [replace(scan, files=(file,)) for file in scan.files] if suspects else []
        for single, count in zip(files, _count_suspects(files), strict=True):
            if count:
                _check_here(single, count, log)


def _count_suspects(scans: Sequence[Scan]) -> list[int]:
    """The number of suspect rows of each scan, of several in one query: asking takes a cluster longer than counting."""
    counts = [
        scan.suspects().agg(F.count(F.lit(1)).alias(_COUNT)).select(_COUNT, F.lit(index).alias(_INDEX))
        for index, scan in enumerate(scans)
    ]
    batches = [counts[first : first + _BATCH] for first in range(0, len(counts), _BATCH)]
    found = {row[_INDEX]: row[_COUNT] for batch in batches for row in union_all(batch).collect()}
    return [found[index] for index in range(len(scans))]


def _check_here(scan: Scan, suspects: int, log: ReadLog) -> None:
    """Read the scan's only file here; raises what is wrong with a row, and Unreadable where a suspect one is good."""
    (file,) = scan.files
    before = log.bad_rows[str(file)]
    read_through(file, scan.shape, log)
    good = suspects - (log.bad_rows[str(file)] - before)
    if good and not scan.knows_bad_rows:
        rows = "1 row" if good == 1 else f"{good:,} rows"
        raise refused(file, f"{rows} in a form that engines read differently")


def blame_file(scans: Sequence[Scan], source: Source, error: BaseException) -> None:
    """Raise what is wrong with the first file that the cluster cannot read, if the error is one of a file."""
    file = (_named_file(source.files, error) or _find_unreadable(scans)) if _is_of_file(error) else None
    if file:
        read_through(file, source.shape.as_stored() if file.stored else source.shape, source.log)
        if "invalid utf-8" in str(error).lower():  # of bytes: Sail cannot leave out such a row
            raise refused(file, "text that is not valid UTF-8")
        raise refused(file, "a form that the cluster cannot read and this machine can")


def _is_of_file(error: BaseException) -> bool:
    is_runtime = isinstance(error, PySparkException) and not isinstance(error, AnalysisException)
    return is_runtime and bool(_FILE_ERROR.search(str(error)))


def _named_file(files: Sequence[EventFile], error: BaseException) -> EventFile | None:
    """The file whose URL a server names."""
    named = _FILE_PATH.search(str(error))
    return next((file for file in files if named and _without_scheme(file.path) == unquote(named[1])), None)


def _without_scheme(path: str) -> str:
    scheme, separator, rest = path.partition("://")
    return rest if separator else os.path.abspath(scheme).lstrip("/")  # noqa: PTH100 - symbolic links stay as they are


def _find_unreadable(scans: Sequence[Scan]) -> EventFile | None:
    """The first file that the cluster cannot read, found by halves."""
    scan = next((scan for scan in scans if not _is_readable(scan)), None)
    while scan and len(scan.files) > 1:
        half = len(scan.files) // 2
        first, second = (replace(scan, files=files) for files in (scan.files[:half], scan.files[half:]))
        scan = second if _is_readable(first) else first
    return scan.files[0] if scan else None


def _is_readable(scan: Scan) -> bool:
    events = scan.events()
    try:
        events.agg(F.count(F.lit(1)), *map(F.max, events.columns)).collect()
    except CLUSTER_ERRORS as error:
        if not _is_of_file(error):
            raise
        return False
    return True
