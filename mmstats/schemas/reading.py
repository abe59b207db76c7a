"""A schema's TOML read: its vocabulary is closed, and whatever else it says is refused by file and line."""

import tomllib
from collections.abc import Callable, Collection, Mapping
from itertools import accumulate
from typing import Any

from mmstats.dataset import EVENT_COLUMNS, INPUT_FORMATS
from mmstats.derivation import Column, Constant, Derivation, First, Join, Schema, Step, StepName
from mmstats.dialect import LINES, Dialect
from mmstats.errors import InvalidSettings
from mmstats.wording import did_you_mean, visible

TABLES = ("title", "refused", "file", "columns", "only")
BASES = ("from", "join", "constant")
# Each step with the words that it takes, none where any text will do; they are taken in this order.
STEPS: Mapping[StepName, tuple[str, ...]] = {
    "decode": ("percent",),
    "url": ("path", "host"),
    "query": (),
    "agent": ("browser", "os", "device_type"),
    "geo": ("country",),
    "upper": (),
    "lower": (),
    "values": (),
}
# Of these at most one makes sense: each takes a text of another kind than the others give.
_ALONE = (("url", "query", "agent", "geo"), ("upper", "lower"))
_DERIVATION = "a column or path, a list of derivations, or a table with from, join or constant"

Keys = tuple[str, ...]


class _Wrong(ValueError):
    """What is wrong with the value of some keys, and what is allowed."""

    def __init__(self, keys: Keys, fault: str, hint: str = "") -> None:
        super().__init__(fault)
        self.keys, self.fault, self.hint = keys, fault, hint


def read_schema(name: str, file: str, content: str, digest: str, seen: Mapping[str, str | None]) -> Schema:
    """The schema that the content of a file says; the digest is of the content, and `seen` the state of the file.

    Raises InvalidSettings, naming file and line, for what is no TOML or no part of the vocabulary.
    """
    shown = visible(file)
    try:
        values = tomllib.loads(content)
        if refused := values.get("refused"):
            raise InvalidSettings(f"{shown.removesuffix('.toml')}: {visible(str(refused))}")
        return Schema(
            name,
            _text(values, "title", ()) if "title" in values else name,
            _columns(values),
            _only(values),
            _dialect(values),
            digest,
            seen,
        )
    except _Wrong as wrong:
        line = _line_of(content, wrong.keys)
        raise InvalidSettings(f"{shown}: line {line}: {visible(wrong.fault)}", hint=visible(wrong.hint)) from None
    except (ValueError, RecursionError) as fault:  # also integers too long, brackets too deep
        said = str(fault).replace("at end of document", f"at line {len(content.splitlines())}")
        raise InvalidSettings(f"{shown}: not valid TOML: {visible(said)}") from None


def _line_of(content: str, keys: Keys) -> int:
    """The line on which the value of some keys begins, or of as many of them as there are.

    The library keeps no positions. But what a file says up to the end of a statement is TOML too: the statement that
    adds the keys is behind the last such part without them.
    """
    lines = content.splitlines(keepends=True)
    before, begins, depth = 0, 1, 0
    for number, part in enumerate(accumulate(lines), 1):
        try:
            found: Any = tomllib.loads(part)
        except (ValueError, RecursionError):
            continue
        known = 0
        for key in keys:
            if not isinstance(found, dict) or key not in found:
                break
            found, known = found[key], known + 1
        if known > depth:
            begins, depth = before + 1, known
        before = number
    return begins


def _columns(values: Mapping[str, Any]) -> dict[str, Derivation]:
    _check_keys(values, TABLES, ())
    columns = _table(values, "columns", ())
    _check_keys(columns, EVENT_COLUMNS, ("columns",))
    if not columns:
        raise _Wrong(("columns",), "no [columns], so there is nothing to read", "[columns] names event columns")
    return {name: _derivation(value, ("columns", name)) for name, value in columns.items()}


def _derivation(value: Any, keys: Keys) -> Derivation:
    if isinstance(value, str) and value:
        return Column(value)
    if isinstance(value, list) and value:
        return First(tuple(_derivation(one, keys) for one in value))
    if not isinstance(value, dict):
        raise _Wrong(keys, f"{keys[-1]} must be {_DERIVATION}, not {_shown(value)}")
    _check_keys(value, (*BASES, *STEPS), keys)
    bases = [one for one in BASES if one in value]
    if len(bases) != 1:
        has = " and ".join(bases) or "none"
        raise _Wrong(keys, f"{keys[-1]} needs one of {', '.join(BASES)}, and has {has}")
    derivation = _base(value, bases[0], keys)
    for names in _ALONE:
        several = [one for one in names if one in value]
        if len(several) > 1:
            raise _Wrong(keys, f"{keys[-1]} cannot have {' and '.join(several)} together", "from takes a table too")
    for name in STEPS:
        if name in value:
            if bases == ["constant"]:
                raise _Wrong(keys, f"{keys[-1]}: a constant stands alone", f"leave out {name}")
            derivation = Step(derivation, name, _argument(value, name, keys))
    return derivation


def _base(value: Mapping[str, Any], base: str, keys: Keys) -> Derivation:
    if base == "constant":
        return Constant(_text(value, base, keys, empty=True))
    if base == "from":
        return _derivation(value[base], (*keys, base))
    parts = value[base]
    if not isinstance(parts, list) or len(parts) < 2:
        raise _Wrong((*keys, base), f"join must be a list of two or more columns, not {_shown(parts)}")
    return Join(tuple(_derivation(one, (*keys, base)) for one in parts))


def _argument(value: Mapping[str, Any], name: StepName, keys: Keys) -> str | tuple[tuple[str, str], ...]:
    if name == "values":
        table = _table(value, name, keys)
        if not table or not all(isinstance(one, str) for one in table.values()):
            raise _Wrong((*keys, name), "values must be a table of texts", 'such as { "1" = "pageview" }')
        return tuple(table.items())
    if name in ("upper", "lower"):
        if value[name] is not True:
            raise _Wrong((*keys, name), f"{name} must be true, not {_shown(value[name])}")
        return ""
    return _text(value, name, keys, STEPS[name])


def _only(values: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    only = _table(values, "only", ()) if "only" in values else {}
    return {name: _texts(only, name, ("only",)) for name in only}


def _dialect(values: Mapping[str, Any]) -> Dialect:
    file = _table(values, "file", ()) if "file" in values else {}
    _check_keys(file, _FILE, ("file",))
    found: dict[str, Any] = {}
    for name in file:
        field, read = _FILE[name]
        found[field] = read(file, name, ("file",))
    return Dialect(**found)


def _table(values: Mapping[str, Any], name: str, keys: Keys) -> dict[str, Any]:
    value = values.get(name, {})
    if not isinstance(value, dict):
        raise _Wrong((*keys, name), f"{name} must be a table, not {_shown(value)}")
    return value


def _text(values: Mapping[str, Any], name: str, keys: Keys, words: Collection[str] = (), *, empty: bool = False) -> str:
    value = values[name]
    if not isinstance(value, str) or not (value or empty):
        raise _Wrong((*keys, name), f"{name} must be a text, not {_shown(value)}")
    if words and value not in words:
        allowed = " or ".join(f'"{word}"' for word in words)
        raise _Wrong((*keys, name), f"{name} must be {allowed}, not {value!r}", did_you_mean(value, words))
    return value


def _texts(values: Mapping[str, Any], name: str, keys: Keys) -> tuple[str, ...]:
    value = values[name]
    if not isinstance(value, list) or not value or not all(isinstance(one, str) for one in value):
        raise _Wrong((*keys, name), f"{name} must be a list of texts, not {_shown(value)}")
    return tuple(value)


def _names(values: Mapping[str, Any], name: str, keys: Keys) -> str | tuple[str, ...]:
    return _text(values, name, keys) if isinstance(values[name], str) else _texts(values, name, keys)


def _switch(values: Mapping[str, Any], name: str, keys: Keys) -> bool:
    value = values[name]
    if not isinstance(value, bool):
        raise _Wrong((*keys, name), f"{name} must be true or false, not {_shown(value)}")
    return value


def _choice(*words: str) -> Callable[[Mapping[str, Any], str, Keys], str]:
    return lambda values, name, keys: _text(values, name, keys, words)


def _is_null(values: Mapping[str, Any], name: str, keys: Keys) -> bool:
    return bool(_text(values, name, keys, ("null",)))


# The keys of [file], each with the field of the dialect that it says, and how it is read.
_FILE: Mapping[str, tuple[str, Callable[[Mapping[str, Any], str, Keys], Any]]] = {
    "format": ("format", _choice(*INPUT_FORMATS)),
    "extensions": ("extensions", _texts),
    "names": ("names", _names),
    "quotes": ("quotes", _switch),
    "comment": ("comment", _text),
    "ignore": ("ignore", _texts),
    "records": ("records", _text),
    "null": ("null", lambda values, name, keys: _text(values, name, keys, empty=True)),
    "empty": ("empty_is_null", _is_null),
    "lines": ("lines", _choice(*LINES)),
}


def _check_keys(values: Mapping[str, Any], known: Collection[str], keys: Keys) -> None:
    for key in values:
        if key not in known:
            where = f" in [{keys[0]}]" if len(keys) == 1 else f" of {keys[-1]}" if keys else ""
            allowed = did_you_mean(key, known) or f"allowed: {', '.join(known)}"
            raise _Wrong((*keys, key), f"unknown key {key!r}{where}", allowed)


def _shown(value: object) -> str:
    words = {dict: "a table", list: "a list", bool: str(value).lower()}
    return words.get(type(value), repr(value)) if value not in ([], {}) else "nothing"
