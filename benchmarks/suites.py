"""Every file of some folders, read by mmstats, PyArrow and DuckDB: prints in which columns they differ.

    python benchmarks/suites.py FOLDER [FOLDER …]

For folders of public test files, of which none is kept here. Each column is asked for as the name of events that all
happened at one instant, so that a file need hold no events. Readers agree on a column that is as often null to both,
and of whose values as many come once, twice and so on; texts, integers and truth values must also be the same. PyArrow
is asked of Parquet and Arrow, DuckDB of Parquet, CSV and JSON. What all refuse is no difference; that a process dies or
prints anything is one. Ends with 1 where anything differs.

Not all that differs is wrong: DuckDB reads durations of Parquet as integers and instants to the microsecond, pads rows
of CSV, and renames a column that is there twice; a string of a JSON type is its own text here.
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ENDINGS = (".parquet", ".arrow", ".feather", ".ndjson", ".jsonl", ".json", ".csv", ".csv.gz", ".csv.zst")
SECONDS = 120  # for one file
Values = Counter[Any]  # of a column: each value and how often it is there
Columns = dict[str, Values | str]  # by name; what is wrong with a column as a text


def main() -> int:
    """Print what differs; the exit code is 1 where anything does."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--read-by", choices=READERS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.read_by:
        print(json.dumps(_read(READERS[arguments.read_by], arguments.folders[0])))
        return 0
    files = sorted(file for folder in arguments.folders for file in folder.rglob("*") if file.name.endswith(ENDINGS))
    differing = 0
    for file in files:
        found = list(_differences(file))
        differing += bool(found)
        for difference in found:
            print(f"{file}: {difference}", flush=True)
    print(f"{len(files):,} files, {differing:,} differ")
    return 1 if differing else 0


def _differences(file: Path) -> Iterator[str]:
    ours, noise = _ask("mmstats", file)
    if noise:
        yield f"mmstats {noise}"
        return
    for name in ("pyarrow", "duckdb"):
        if file.name.endswith(NOT_READ_BY[name]):
            continue
        theirs, _ = _ask(name, file)
        if isinstance(theirs, str) or isinstance(ours, str):
            if isinstance(ours, str) != isinstance(theirs, str):
                refused, why = ("mmstats", ours) if isinstance(ours, str) else (name, theirs)
                yield f"refused by {refused} alone, beside {'mmstats' if refused == name else name}: {why}"
            continue
        for column in ours.keys() & theirs.keys():
            if difference := _difference(ours[column], theirs[column], exact=not (name == "duckdb" and _is_json(file))):
                yield f"{column!r}: {difference} {name}"


def _ask(reader: str, file: Path) -> tuple[Columns | str, str]:
    """What a process of its own reads, and how it ended where that was not well."""
    command = [sys.executable, __file__, "--read-by", reader, str(file)]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return "too slow", f"takes longer than {SECONDS} s"
    if ran.returncode or ran.stderr:
        return "died", f"ends with {ran.returncode} and prints {ran.stderr[-300:]!r}"
    found = json.loads(ran.stdout)
    if isinstance(found, str):
        return found, ""
    return {name: one if isinstance(one, str) else Counter(dict(one)) for name, one in found.items()}, ""


def _difference(ours: Values | str, theirs: Values | str, *, exact: bool) -> str:
    """How two readers differ on a column, as the rest of a sentence that ends with the name of the other one."""
    if isinstance(ours, str) or isinstance(theirs, str):
        return f"refused ({ours}), which it is not by" if isinstance(ours, str) and not isinstance(theirs, str) else ""
    if ours[None] != theirs[None]:
        return f"{ours[None]:,} nulls, but {theirs[None]:,} to"
    own, other = ({value: count for value, count in one.items() if value is not None} for one in (ours, theirs))
    if exact and not any(value.startswith(OPAQUE) for value in other):
        if own != other:
            some = sorted(own.items() ^ other.items())[:3]
            return f"other values, such as {some}, than to"
    elif Counter(own.values()) != Counter(other.values()):
        return f"{len(own):,} values in {sum(own.values()):,} rows, but {len(other):,} in {sum(other.values()):,} to"
    return ""


def _read(read: Callable[[Path], Columns], file: Path) -> Any:
    """What a reader finds, as JSON; why it refuses a file as a text."""
    try:
        columns = read(file)
    except Exception as error:  # the libraries raise all kinds
        return _line(error)
    return {name: one if isinstance(one, str) else list(one.items()) for name, one in columns.items()}


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _of_mmstats(file: Path) -> Columns:
    import mmstats
    from mmstats.cli.own_stderr import own_stderr

    with tempfile.TemporaryDirectory() as folder, own_stderr():
        schema = Path(folder, "probe.toml")

        def ask(event_name: str) -> Values:
            columns = f"timestamp = {{ constant = '2026-01-01' }}\nevent_name = {event_name}\n"
            schema.write_text(f"title = 'probe'\n[columns]\n{columns}", encoding="utf-8")
            rows = mmstats.stats(str(file), schema=str(schema), group_by=["event_name"], limit=None).rows
            return Counter({row["event_name"]: row["value"] for row in rows})

        ask("{ constant = 'x' }")  # raises where no column can be read
        found: Columns = {}
        for name in filter(None, _names(file)):
            try:
                found[name] = ask(json.dumps(name, ensure_ascii=False))
            except mmstats.MmstatsError as error:
                found[name] = _line(error)
        return found


def _names(file: Path) -> list[str]:
    """The names of the columns, by whichever of the others reads the file."""
    for name, read in READERS.items():
        if name != "mmstats" and not file.name.endswith(NOT_READ_BY[name]):
            try:
                return list(read(file))
            except Exception:  # it is asked by itself, too
                continue
    return []


def _of_pyarrow(file: Path) -> Columns:
    import pyarrow as pa
    from pyarrow import feather, parquet

    table = parquet.ParquetFile(file).read() if file.suffix == ".parquet" else None
    if table is None:
        try:
            table = feather.read_table(file)
        except pa.ArrowInvalid:
            table = pa.ipc.open_stream(file.read_bytes()).read_all()
    found: Columns = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        try:
            found[name] = Counter(map(_told, column.to_pylist()))
        except (pa.ArrowException, ValueError, OverflowError, TypeError) as error:
            found[name] = _line(error)
    return found


OPAQUE = "\0"  # begins what has no one text: floats, instants, lists


def _told(value: Any) -> str | None:
    """A value as a text; what each reader writes in its own way is told apart only."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, str | int):
        return str(value)
    return OPAQUE + (repr(value + 0.0) if isinstance(value, float) else repr(value))


def _of_duckdb(file: Path) -> Columns:
    import duckdb

    path = str(file).replace("'", "''")
    source = f"read_csv('{path}', all_varchar = true, header = true, allow_quoted_nulls = false, strict_mode = true)"
    if file.suffix == ".parquet":
        source = f"read_parquet('{path}', hive_partitioning = false)"
    elif _is_json(file):
        source = f"read_json_auto('{path}', sample_size = -1)"
    names = [name for name, *_ in duckdb.sql(f"DESCRIBE SELECT * FROM {source}").fetchall()]
    found: Columns = {}
    for name in names:
        quoted = '"' + name.replace('"', '""') + '"'
        try:
            rows = duckdb.sql(f"SELECT {quoted}, count(*) FROM {source} GROUP BY 1").fetchall()
            found[name] = sum((Counter({_told(value): count}) for value, count in rows), Counter())
        except (duckdb.Error, TypeError, ValueError) as error:
            found[name] = _line(error)
    return found


def _is_json(file: Path) -> bool:
    return file.suffix in (".ndjson", ".jsonl", ".json")


READERS: dict[str, Callable[[Path], Columns]] = {"mmstats": _of_mmstats, "pyarrow": _of_pyarrow, "duckdb": _of_duckdb}
NOT_READ_BY = {
    "pyarrow": (".ndjson", ".jsonl", ".json", ".csv", ".csv.gz", ".csv.zst"),
    "duckdb": (".arrow", ".feather"),
}

if __name__ == "__main__":
    sys.exit(main())
