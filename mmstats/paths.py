"""Paths: the name of a column and the steps into its values, as a user writes them: `properties."a key".plan`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

# A quote within quotes is written twice.
_QUOTED = r'"((?:[^"]|"")*)"'
_PLAIN = re.compile(r'[^."\[\]]+')
_NAME = re.compile(rf'{_QUOTED}|([^."\[\]][^.\[]*)', re.DOTALL)
_STEP = re.compile(rf'\.(?:{_QUOTED}|([^."\[\]][^.\[]*))|\[(?:{_QUOTED}|([^"\[\]][^\]]*))\]', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Step:
    """One step into a value: to what an object has under a key.

    Where it is an `entry`, it goes into a list of objects with `key` and `value`, to the value of the key's first.
    """

    key: str
    entry: bool = False


@dataclass(frozen=True, slots=True)
class Path:
    """The name of a column, and the steps into its values; without steps it is the column itself.

    Where it is `spelled`, a number of JSON is its digits as they are written, else as a double tells them.
    """

    column: str
    steps: tuple[Step, ...] = ()
    spelled: bool = False


def read_path(text: str) -> Path:
    """The path that a text is: `NAME`, then steps `.KEY`, `."any key"` or `[KEY]`.

    Raises ValueError with the rest of the sentence "this path …".
    """
    name, parts = _parts(text)
    return Path(name, tuple(step for step, _ in parts))


@cache
def readings(text: str) -> tuple[Path, ...]:
    """All the ways to read a text as a path with steps, the one with the longest name first; none where there is none.

    `a.b.c` may begin with a column `a.b`. That the text as a whole is a name, too, is not among them.
    """
    try:
        name, parts = _parts(text)
    except ValueError:
        return ()
    steps, ends = tuple(step for step, _ in parts), [end for _, end in parts]
    longer = (Path(text[: ends[at - 1]], steps[at:]) for at in range(len(steps) - 1, 0, -1))
    return (*longer, Path(name, steps)) if steps else ()


def written(path: Path) -> str:
    """A path as a text that reads as it."""
    keys = (_written(step.key) for step in path.steps)
    steps = (f"[{key}]" if step.entry else f".{key}" for step, key in zip(path.steps, keys, strict=True))
    return (_written(path.column) if path.steps else path.column) + "".join(steps)


def _written(name: str) -> str:
    return name if _PLAIN.fullmatch(name) else '"' + name.replace('"', '""') + '"'


def _parts(text: str) -> tuple[str, list[tuple[Step, int]]]:
    """The name, and each step with the place in the text where it ends."""
    found = _NAME.match(text)
    if found is None:
        raise ValueError("has no name of a column at its beginning" if text else "is empty")
    name = _unquoted(found[1], found[2])
    return name, list(_steps(text, found.end()))


def _steps(text: str, at: int) -> Iterator[tuple[Step, int]]:
    while at < len(text):
        found = _STEP.match(text, at)
        if found is None:
            raise ValueError(_fault(text[at:]))
        in_brackets = text[at] == "["
        key = _unquoted(found[3], found[4]) if in_brackets else _unquoted(found[1], found[2])
        at = found.end()
        yield Step(key, in_brackets), at


def _unquoted(quoted: str | None, plain: str | None) -> str:
    return quoted.replace('""', '"') if quoted is not None else plain or ""


def _fault(rest: str) -> str:
    """What is wrong with the rest of a path that does not begin with a step."""
    if rest[0] not in ".[":
        return f"has {rest!r} behind a quote or bracket, where a step begins with '.' or '['"
    if rest[1:2] == '"':
        return f"has a quote in {rest!r} that is never closed" if rest.count('"') % 2 else f"has no step in {rest!r}"
    if rest[0] == "[":
        return f"has no key in {rest!r}" if "]" in rest else f"has a bracket in {rest!r} that is never closed"
    return f"has no key after the '.' in {rest!r}: a key with such signs is written .\"any key\""
