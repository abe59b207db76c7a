"""Ask the stats query of a hosted analytics API of event files you have: Parquet, NDJSON, CSV or Arrow.

>>> import mmstats
>>> mmstats.stats(event="signup", group_by=["source"]).rows  # of the bundled sample
[{'source': 'facebook', 'value': 9}, {'source': 'google', 'value': 3}]
"""

TYPE_CHECKING = False  # type checkers take it for true; typing, which has it too, takes 3 ms to be loaded
if TYPE_CHECKING:
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


def __getattr__(name: str) -> object:
    """Load a public name when it is first used: the program passes here before it can handle an interrupt."""
    if name in __all__:
        from mmstats import answer, api, errors, version

        for module in (answer, api, errors, version):
            if name in vars(module):
                globals()[name] = vars(module)[name]
                return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """The public names, loaded or not."""
    return sorted({*globals(), *__all__})
