"""The rows of a store's files, held against what the manifest says of them."""

import polars as pl

from mmstats.dataset import EVENT_COLUMNS
from mmstats.files.event_file import EventFile, Stored
from mmstats.readers.columnar import IMPORTED_FROM, VISITOR_HASH
from mmstats.readers.projection import REQUIRED, VISITOR, Projection, hashed
from mmstats.readers.schema_groups import group_by_schema
from mmstats.wording import plural


def manifest_faults(file: EventFile, stored: Stored, projection: Projection) -> list[str]:
    """What is otherwise in a file than the manifest says, a sentence each."""
    (group,) = group_by_schema([file], projection)
    expected, instant = stored.file, pl.col("timestamp").to_physical()
    others = [name for name in EVENT_COLUMNS if name not in {*REQUIRED, *stored.columns}]
    found = (
        group.scan()
        .select(
            pl.len().alias("rows"),
            instant.min().alias("first"),
            instant.max().alias("last"),
            instant.is_between(expected.first, expected.last).sum().alias("within"),
            (instant.diff() < 0).any().alias("unsorted"),
            hashed(pl.col(VISITOR)).ne_missing(pl.col(VISITOR_HASH)).sum().alias("wrong_hashes"),
            *(pl.col(name).count() for name in others),
        )
        .collect(engine="streaming")
        .row(0, named=True)
    )
    sources = dict(group.scan().group_by(IMPORTED_FROM).len().collect(engine="streaming").iter_rows())
    rows, outside, wrong = found["rows"], found["rows"] - found["within"], found["wrong_hashes"]
    is_shorter = rows and (found["first"] > expected.first or found["last"] < expected.last)
    faults = (
        (rows != expected.rows, f"it has {plural(rows, 'row')}, where the manifest says {expected.rows:,}"),
        (outside, f"{plural(outside, 'row')} outside the range that the manifest says"),
        (is_shorter, "its range is shorter than the manifest says"),
        (found["unsorted"], "its rows are not sorted by time"),
        (sources != expected.sources, "its rows are of other sources than the manifest says"),
        (wrong, f"{plural(wrong, 'row')} with a hash that is not that of the visitor"),
        *((found[name], f"it has values of {name}, which the manifest says no source had") for name in others),
    )
    return [what for is_wrong, what in faults if is_wrong]
