"""A visitor's hash, the same on every machine, engine and version: what is kept of it on disk stays good."""

from typing import Any

import polars as pl

SEED = 42
VISITOR = "anonymous_id"


def hashed(identifier: pl.Expr) -> pl.Expr:
    """The 64-bit hash of the UTF-8 bytes of a text (XXH64, seed 42); null for null."""
    import polars_hash  # noqa: F401 - a plugin, which gives expressions the name used below; only visitors need it

    expression: Any = identifier
    found: pl.Expr = expression.nchash.xxhash64(seed=SEED)
    return found
