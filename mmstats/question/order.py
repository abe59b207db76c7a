"""The order of rows that is asked for: by which of their keys, ascending or descending."""

from typing import NamedTuple

from mmstats.question.columns import split_names


class SortKey(NamedTuple):
    """A key of a row to order by."""

    key: str
    descending: bool = False


def read_order(text: str) -> tuple[SortKey, ...]:
    """The keys of a comma-separated list, each with `-` before it for descending.

    Raises ValueError with the rest of the sentence "this parameter …".
    """
    keys = split_names(text)
    order = tuple(SortKey(name.removeprefix("-"), name.startswith("-")) for name in keys)
    if not all(one.key for one in order):
        raise ValueError(f"must name keys of a row, comma-separated, not {text!r}")
    repeated = {one.key for one in order if sum(one.key == other.key for other in order) > 1}
    if repeated:
        raise ValueError(f"names {' and '.join(sorted(repeated))} twice")
    return order
