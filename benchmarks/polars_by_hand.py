"""One question of `suite.py` as a skilled user of Polars writes it, over the Parquet files of a glob; the rows as JSON.

    python benchmarks/polars_by_hand.py 'FOLDER/*.parquet' exact|estimated ask [--group-by COLUMN,…] [--event NAME] …

Visitors are counted exactly, or with `approx_n_unique`. Without `ask`, Polars is imported and nothing is asked.
"""

import argparse
import json
import sys
from datetime import UTC, datetime

import polars as pl
from suite import LIMIT

EVERY = {"hour": "1h", "day": "1d", "week": "1w"}


def main() -> None:
    """Ask and print."""
    pattern, how, *asked = sys.argv[1:]
    if not asked:
        return
    parser = argparse.ArgumentParser()
    for flag in ("--metric", "--event", "--group-by", "--interval", "--from", "--to"):
        parser.add_argument(flag)
    given = parser.parse_args(asked[1:])
    events = pl.scan_parquet(pattern).filter(*_predicates(given))
    keys = given.group_by.split(",") if given.group_by else []
    visitor = pl.col("anonymous_id").drop_nulls()
    uniques = visitor.n_unique() if how == "exact" else visitor.approx_n_unique()
    value = (uniques if given.metric == "uniques" else pl.len()).alias("value")
    if given.interval:
        events = events.with_columns(bucket=pl.col("timestamp").dt.truncate(EVERY[given.interval]))
        keys = ["bucket", *keys]
    rows = events.group_by(keys).agg(value) if keys else events.select(value)
    if keys:
        buckets = ["bucket"] if given.interval else []
        by = [*buckets, "value", *(key for key in keys if key != "bucket")]
        rows = rows.sort(by, descending=[key == "value" for key in by], nulls_last=True).head(LIMIT)
        rows = rows.with_columns(pl.col(name).dt.strftime("%Y-%m-%d %H:%M:%S") for name in buckets)
    print(json.dumps(rows.collect(engine="streaming").to_dicts()))


def _predicates(given: argparse.Namespace) -> list[pl.Expr]:
    at = pl.col("timestamp")
    start, end = (text and datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (vars(given)["from"], given.to))
    tests = [at >= start] if start else []
    tests += [at < end] if end else []
    return [*tests, pl.col("event_name") == given.event] if given.event else tests


if __name__ == "__main__":
    main()
