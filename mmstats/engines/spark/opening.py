"""Files as the cluster opens them, under its own names for them, and the refusal of those that it is not asked of."""

import os
import re
from collections.abc import Callable, Sequence
from urllib.parse import unquote

import polars as pl
from pyspark.sql.connect import functions as F
from pyspark.sql.connect.readwriter import DataFrameReader
from pyspark.sql.dataframe import DataFrame

from mmstats.engines.spark.connection import Session
from mmstats.engines.spark.dialect import Dialect
from mmstats.engines.spark.faults import SAME_PATHS
from mmstats.errors import Unreadable
from mmstats.files.event_file import EventFile
from mmstats.wording import is_encodable, visible

_WHOLE_LINES = {"mapreduce.input.linerecordreader.line.maxlength": "2147483647"}  # whatever the server is set to
_LOCAL = "^file:/+"  # which a server writes with one slash or three
_FILE, _KNOWN = "file'", "known'"
_IMPORT = "ask without --engine, or import the data into a store"


def opened(
    files: Sequence[EventFile],
    session: Session,
    how: Callable[[DataFrameReader, list[str]], DataFrame],
    declared: str = "",
    words: Sequence[str] = (),
) -> DataFrame:
    """Some files as the cluster reads them, which must see them all, with what their folders say of some columns.

    Raises Unreadable where it does not: a server may take a path that is not there for one of no rows.
    """
    reader = session.spark.read.options(**_WHOLE_LINES)
    frame = how(reader.schema(declared) if declared else reader, [_path(file, session.dialect) for file in files])
    seen = frame.inputFiles()
    if len(seen) != len(files):
        raise Unreadable(
            f"{files[0]}: the cluster sees {len(seen):,} of {len(files):,} files beside it", hint=SAME_PATHS
        )
    return _with_words(frame, words, files, seen, session) if words else frame


def _with_words(
    frame: DataFrame, words: Sequence[str], files: Sequence[EventFile], seen: Sequence[str], session: Session
) -> DataFrame:
    """The rows, with what the folders say of some columns, looked up by the path of the file that a row is from."""
    first = files[0].partition
    if all(file.partition[name] == first[name] for file in files for name in words):
        return frame.select("*", *(F.lit(first[name]).cast("string").alias(name) for name in words))
    called = {unquote(path): path for path in seen}
    named = {_named(file, session.dialect): file for file in files}
    if called.keys() != named.keys():
        raise Unreadable(f"{files[0]}: the cluster has other names for the files beside it", hint=SAME_PATHS)
    told = {name: [file.partition[name] for file in named.values()] for name in words}
    paths = [re.sub(_LOCAL, "/", called[path]) for path in named]
    table = pl.DataFrame({_FILE: paths, **told}, dict.fromkeys((_FILE, *words), pl.String()))
    of_row = F.regexp_replace(frame.metadataColumn(session.dialect.origin).getField("file_path"), _LOCAL, "/")
    known = F.broadcast(session.spark.createDataFrame(table.to_arrow()).withColumn(_KNOWN, F.lit(True)))
    found = frame.withColumn(_FILE, of_row).join(known, _FILE, "left")
    # No row may lose its words in silence, should the server write the same path in two ways.
    lost = F.raise_error(F.lit("a file has another name in its rows"))
    looked_up = [F.when(F.col(quoted(_KNOWN)), F.col(quoted(name))).otherwise(lost).alias(name) for name in words]
    return found.select(*(F.col(quoted(name)) for name in frame.columns), *looked_up)


def _path(file: EventFile, dialect: Dialect) -> str:
    """A file's path as a pattern; raises Unreadable for one that a server would not read under its name."""
    if not is_encodable(file.path) or re.search(dialect.unread, file.path):
        raise refuse_format(file, f"a name that {dialect.name} does not read")
    return dialect.pattern(_named(file, dialect))


def _named(file: EventFile, dialect: Dialect) -> str:
    """What a server calls a file."""
    scheme, separator, rest = file.path.partition("://")
    if not separator:
        return dialect.disk + os.path.abspath(file.path)  # noqa: PTH100 - links stay as the user wrote them
    named = dialect.schemes.get(scheme, scheme)
    if named is None:
        raise refuse_format(file, f"a location in {scheme}://, which {dialect.name} knows by another address")
    return f"{named}://{rest}"


def compare(files: Sequence[EventFile], session: Session) -> None:
    """Have the cluster's machines look at the files, as far as they can without reading them.

    Raises Unreadable for one that is another there, as an old copy under the same path is; a text may have grown since.
    """
    if not files or not session.dialect.lengths:
        return
    paths = [_path(file, session.dialect) for file in files]
    there = session.spark.read.format(session.dialect.lengths).load(paths).select("path", "length").collect()
    lengths = {re.sub(_LOCAL, "/", row.path): row.length for row in there}
    for file in files:
        length = lengths.get(re.sub(_LOCAL, "/", _named(file, session.dialect)), file.size)
        if length < file.size or (length > file.size and not file.format.is_text):
            raise Unreadable(f"{file}: {file.size:,} bytes here, {length:,} on the cluster", hint=SAME_PATHS)


def quoted(name: str) -> str:
    """A name as one, whatever is in it."""
    return "`" + name.replace("`", "``") + "`"


def refuse_type(file: EventFile, name: str, dtype: pl.DataType) -> Unreadable:
    """The error for a column whose values a cluster would write otherwise."""
    return Unreadable(f"{file}: column {visible(name)!r} is {dtype}, which no cluster is asked of", hint=_IMPORT)


def refuse_format(file: EventFile, what: str) -> Unreadable:
    """The error for a file that no cluster is asked of."""
    return Unreadable(f"{file}: {what}, which no cluster is asked of", hint=_IMPORT)
