"""Ask the stats query of a hosted analytics API of event files you have: Parquet, NDJSON, CSV or Arrow.

>>> import mmstats
>>> mmstats.stats(event="signup", group_by=["source"]).rows  # of the bundled sample
[{'source': 'facebook', 'value': 9}, {'source': 'google', 'value': 3}]
"""

from mmstats.answer import Row, Stats
from mmstats.api import stats
from mmstats.errors import (
    BadRow,
    DatasetError,
    InvalidGroupBy,
    InvalidParams,
    InvalidQuestion,
    InvalidSettings,
    MmstatsError,
    NotEvents,
    OutputError,
    TooMuchMemory,
    Unreadable,
)
from mmstats.version import __version__

__all__ = [
    "BadRow",
    "DatasetError",
    "InvalidGroupBy",
    "InvalidParams",
    "InvalidQuestion",
    "InvalidSettings",
    "MmstatsError",
    "NotEvents",
    "OutputError",
    "Row",
    "Stats",
    "TooMuchMemory",
    "Unreadable",
    "__version__",
    "stats",
]
