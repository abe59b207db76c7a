"""What columns and paths a sample of some data has, with their kinds and a few values: what a person looks at first."""

from dataclasses import dataclass

from mmstats.paths import Path, written

OBJECT, JSON_TEXT, LIST = "object", "JSON text", "list"
NESTED = (OBJECT, JSON_TEXT, LIST)  # kinds of values that a path may go into


@dataclass(frozen=True, slots=True)
class PathUse:
    """A column, or a path in one: the kinds of its values, the most frequent first, and the first few different ones.

    `nulls` counts those of the sample's `rows` in which it is null or not there at all. Samples are shortened; what
    has paths below it has none. Where it holds an array of objects, `holds_objects`.
    """

    path: Path
    kinds: tuple[str, ...]
    rows: int
    nulls: int
    samples: tuple[str, ...] = ()
    holds_objects: bool = False

    @property
    def text(self) -> str:
        """The path as `--map` takes it."""
        return written(self.path)

    @property
    def name(self) -> str:
        """The last name in it."""
        return self.path.steps[-1].key if self.path.steps else self.path.column


@dataclass(frozen=True, slots=True)
class Outline:
    """The columns and paths of a sample of so many `rows`, each path below the one that it goes on from.

    `width` is how many columns a file has, where several may be called the same; `left_out` counts further paths.
    """

    paths: tuple[PathUse, ...]
    rows: int
    width: int
    left_out: int = 0

    @property
    def columns(self) -> tuple[PathUse, ...]:
        """The columns alone."""
        return tuple(use for use in self.paths if not use.path.steps)

    @property
    def keys(self) -> dict[str, list[str]]:
        """The columns, each with the keys in its values."""
        found: dict[str, list[str]] = {use.path.column: [] for use in self.columns}
        for use in self.paths:
            if len(use.path.steps) == 1:
                found[use.path.column].append(use.path.steps[0].key)
        return found
