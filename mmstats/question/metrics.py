"""Metrics: what is counted of events, distinct ids among them, and what the numbers of a column come to."""

from dataclasses import dataclass
from functools import lru_cache

from mmstats.errors import Fault
from mmstats.question import words
from mmstats.question.columns import is_column, split_names
from mmstats.question.filters import unknown_column
from mmstats.wording import did_you_mean

COUNT = "count"
# By metric, the column whose distinct values are counted.
DISTINCT = {"uniques": "anonymous_id", "users": "user_id", "sessions": "session_id"}
FIGURES = ("sum", "avg", "min", "max")  # of the numbers of a column, written as sum:COLUMN
NAMES = (COUNT, *DISTINCT)
FORMS = (*NAMES, *(f"{figure}:COLUMN" for figure in FIGURES))


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric, by its name as it is asked; `kind` is COUNT, one of `DISTINCT`, or one of `FIGURES` of a `column`."""

    name: str
    kind: str
    column: str = ""

    @property
    def is_distinct(self) -> bool:
        """Whether it counts distinct ids, which is an estimate unless it is asked for exactly."""
        return self.kind in DISTINCT

    @property
    def is_figure(self) -> bool:
        """Whether it is a decimal number, null where no value takes part; all others are counts."""
        return self.kind in FIGURES

    @property
    def read(self) -> str:
        """The event column that it reads, empty for none."""
        return DISTINCT.get(self.kind, self.column)


def read_metrics(text: str) -> str:
    """A comma-separated list of metrics without the blanks around them, once it is known that each of them is one.

    A comma within the quotes of a path does not separate. Raises ValueError with the rest of the sentence "this
    parameter …", an argument for each thing that is wrong.
    """
    names = split_names(text)
    faults = [fault for name in dict.fromkeys(names) if (fault := _fault(name))]
    faults += [Fault(f"names {name!r} twice") for name in dict.fromkeys(names) if names.count(name) > 1]
    if faults:
        raise ValueError(*faults)
    return ",".join(names)


@lru_cache(256)
def metrics_of(text: str) -> tuple[Metric, ...]:
    """The metrics of a list that `read_metrics` has given."""
    return tuple(_metric(name) for name in split_names(text))


def is_exact(name: str) -> bool:
    """Whether a metric is no estimate; a name that is none has a fault of its own."""
    return name == COUNT or name.partition(":")[0] in FIGURES


def _metric(name: str) -> Metric:
    kind, _, column = name.partition(":")
    return Metric(name, kind, column)


def _fault(name: str) -> Fault | None:
    """What is wrong with the name of a metric, None for nothing."""
    figure, colon, column = name.partition(":")
    if name in NAMES or (figure in FIGURES and is_column(column)):
        return None
    if figure in FIGURES:
        return (
            unknown_column(column)
            if column
            else Fault(f"has {name!r} without a column", f"the form is {figure}:COLUMN")
        )
    if colon:
        offer = did_you_mean(figure, FIGURES, "{}:" + column, words.FIGURES)
    else:
        offer = did_you_mean(name, NAMES, aliases=words.METRICS)
    return Fault(f"has the unknown metric {name!r}", offer or f"metrics: {', '.join(FORMS)}")
