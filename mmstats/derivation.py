"""What event columns are made of: derivations over the columns of a data, and a schema, which names one for each.

Pure data, which loads no engine; `mmstats.readers.derive` makes expressions of it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal

from mmstats.dialect import Dialect

StepName = Literal["decode", "url", "query", "agent", "geo", "upper", "lower", "values"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the data, or a path in one."""

    name: str


@dataclass(frozen=True, slots=True)
class Constant:
    """The same text in every row."""

    text: str


@dataclass(frozen=True, slots=True)
class First:
    """The first of its parts that is not null, row by row; a part that a file lacks is null."""

    parts: "tuple[Derivation, ...]"


@dataclass(frozen=True, slots=True)
class Join:
    """All of its parts with a blank between them, null where one is null."""

    parts: "tuple[Derivation, ...]"


@dataclass(frozen=True, slots=True)
class Step:
    """What one step makes of the text of another derivation; `argument` is the key, the word or the table of it."""

    of: "Derivation"
    name: StepName
    argument: str | tuple[tuple[str, str], ...] = ""


Derivation = Column | Constant | First | Join | Step


def columns_of(derivation: Derivation) -> tuple[str, ...]:
    """The columns of the data that a derivation reads, each once, in their order."""
    match derivation:
        case Column(name):
            return (name,)
        case First(parts) | Join(parts):
            return tuple(dict.fromkeys(name for part in parts for name in columns_of(part)))
        case Step(of):
            return columns_of(of)
    return ()


def steps_of(derivation: Derivation) -> frozenset[StepName]:
    """The names of the steps in a derivation."""
    match derivation:
        case First(parts) | Join(parts):
            return frozenset[StepName]().union(*map(steps_of, parts))
        case Step(of, name):
            return steps_of(of) | {name}
    return frozenset()


def available(derivation: Derivation, names: Collection[str]) -> Derivation | None:
    """What is left of a derivation where only some columns are there; None where it is null throughout."""
    match derivation:
        case Column(name):
            return derivation if name in names else None
        case First(parts):
            left = [one for part in parts if (one := available(part, names))]
            return First(tuple(left)) if len(left) > 1 else left[0] if left else None
        case Join(parts):
            return derivation if all(available(part, names) for part in parts) else None
        case Step(of, name, argument):
            found = available(of, names)
            return found and Step(found, name, argument)
    return derivation


def renamed(derivation: Derivation, names: Mapping[str, str]) -> Derivation:
    """A derivation that reads columns under other names, as far as they have one."""
    match derivation:
        case Column(name):
            return Column(names.get(name, name))
        case First(parts):
            return First(tuple(renamed(part, names) for part in parts))
        case Join(parts):
            return Join(tuple(renamed(part, names) for part in parts))
        case Step(of, name, argument):
            return Step(renamed(of, names), name, argument)
    return derivation


@dataclass(frozen=True, slots=True)
class Schema:
    """How the export of a known tool is read: what its event columns are made of, and how its files are written.

    Of the columns in `only` a row has one of their values, or is no event, in files that have such a column. `digest`
    is of the file that says all this, and `seen` its state by path, as in `mmstats.file_states`, before it was read;
    there is none of a bundled schema, which is a part of the program.
    """

    name: str
    title: str
    columns: Mapping[str, Derivation]
    only: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    dialect: Dialect = field(default=Dialect())
    digest: str = ""
    seen: Mapping[str, str | None] = field(default_factory=dict, repr=False, compare=False)

    @property
    def is_names(self) -> bool:
        """Whether it says nothing but what columns are called."""
        return not self.only and all(isinstance(one, Column) for one in self.columns.values())
