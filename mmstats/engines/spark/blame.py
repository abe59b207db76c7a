"""Files that the cluster cannot read: found on the cluster, and then told by this machine, which reads that one alone.

Only what a server says of a file and its content is a file's fault. A lost executor, a refused plan or a silent server
is none, and not a byte is read here for it.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import unquote

from pyspark.errors import AnalysisException, PySparkException
from pyspark.sql.connect import functions as F

from mmstats.engines.spark.faults import CLUSTER_FAULTS
from mmstats.engines.spark.opening import refuse_format
from mmstats.engines.spark.scans import Scan
from mmstats.engines.spark.typed import NO_TEXT
from mmstats.files.event_file import EventFile
from mmstats.readers.scan import read_through
from mmstats.readers.source import Source

_OF_A_FILE = re.compile(
    rf"FAILED_READ_FILE|CANNOT_READ_FILE|{NO_TEXT}"  # Spark's
    r"|parquet error|invalid utf-8|invalid gzip|corrupt deflate|unexpected end of file",  # Sail's, by the reader's name
    re.IGNORECASE,
)
_NAMED = re.compile(r"(?:FAILED_READ_FILE|CANNOT_READ_FILE).*? (?:file:/+|[a-z0-9]+://)(\S.*?)\.? +SQLSTATE", re.DOTALL)


def blame(scans: Sequence[Scan], source: Source, fault: BaseException) -> None:
    """Raise what is wrong with the first file that the cluster cannot read, if its fault is one of a file."""
    if not _is_of_a_file(fault):
        return
    file = _named(source.files, fault) or _found(scans)
    if file is None:
        return
    read_through(file, source.shape.as_stored() if file.stored else source.shape, source.log)
    if "invalid utf-8" in str(fault).lower():  # Sail passes over no line of a text for it
        raise refuse_format(file, "text that is not valid UTF-8")
    raise refuse_format(file, "a form that the cluster cannot read and this machine can")


def _is_of_a_file(fault: BaseException) -> bool:
    is_said = isinstance(fault, PySparkException) and not isinstance(fault, AnalysisException)
    return is_said and bool(_OF_A_FILE.search(str(fault)))


def _named(files: Sequence[EventFile], fault: BaseException) -> EventFile | None:
    """The file that a server names, by a URL."""
    named = _NAMED.search(str(fault))
    if named is None:
        return None
    path = unquote(named[1])
    return next((file for file in files if _without_scheme(file.path) == path), None)


def _without_scheme(path: str) -> str:
    scheme, separator, rest = path.partition("://")
    return rest if separator else os.path.abspath(scheme).lstrip("/")  # noqa: PTH100 - links stay as they were written


def _found(scans: Sequence[Scan]) -> EventFile | None:
    """The first file that the cluster cannot read, found by asking it for half of those that are left each time."""
    for scan in scans:
        files = scan.files
        if _is_read(scan, files):
            continue
        while len(files) > 1:
            half = files[: len(files) // 2]
            files = files[len(half) :] if _is_read(scan, half) else half
        return files[0]
    return None


def _is_read(scan: Scan, files: Sequence[EventFile]) -> bool:
    events = replace(scan, files=tuple(files)).events()
    try:
        events.agg(F.count(F.lit(1)), *map(F.max, events.columns)).collect()
    except CLUSTER_FAULTS as fault:
        if not _is_of_a_file(fault):
            raise
        return False
    return True
