"""Asks one engine one question in SQL, as a process of its own that answers a JSON object a line.

    python benchmarks/sql_runner.py chdb|datafusion|duckdb FOLDER SQL

It runs where those engines are installed, which need not be where mmstats is. With `version` for SQL it says that.
"""

import json
import sys


def chdb(_: str, sql: str) -> str:
    """The answer of ClickHouse, inside this process."""
    import chdb as engine

    return str(engine.engine_version if sql == "version" else engine.query(sql, "JSONEachRow"))


def datafusion(folder: str, sql: str) -> str:
    """The answer of DataFusion over the Parquet files of the folder, its table `events`."""
    import datafusion as engine

    if sql == "version":
        return str(engine.__version__)
    context = engine.SessionContext()
    context.register_parquet("events", folder, file_extension=".parquet")
    rows = (row for batch in context.sql(sql).collect() for row in batch.to_pylist())
    return "\n".join(map(json.dumps, rows))


def duckdb(_: str, sql: str) -> str:
    """The answer of DuckDB inside this process: the library is often a version ahead of the command line."""
    import duckdb as engine

    if sql == "version":
        return str(engine.__version__)
    asked = engine.sql(sql)
    return "\n".join(json.dumps(dict(zip(asked.columns, row, strict=True))) for row in asked.fetchall())


if __name__ == "__main__":
    print({"chdb": chdb, "datafusion": datafusion, "duckdb": duckdb}[sys.argv[1]](*sys.argv[2:]))
