"""Decodes columns of Parquet files and does next to nothing with them: what an answer costs that costs nothing.

    python benchmarks/bare_scan.py FOLDER COLUMN,… [START END]

The nulls of each column are counted, streaming, and with no column the rows; a range is left to the reader.
"""

import sys

import polars as pl


def main(folder: str, columns: str, start: str = "", end: str = "") -> None:
    """Scan, and print how many nulls there are, or rows."""
    events = pl.scan_parquet(f"{folder}/*.parquet")
    if start:
        bounds = [pl.lit(text).str.to_datetime(time_unit="us", time_zone="UTC") for text in (start, end)]
        events = events.filter(pl.col("timestamp") >= bounds[0], pl.col("timestamp") < bounds[1])
    counted = pl.sum_horizontal(pl.col(columns.split(",")).null_count()) if columns else pl.len()
    print(events.select(counted).collect(engine="streaming").item())


if __name__ == "__main__":
    main(*sys.argv[1:])
