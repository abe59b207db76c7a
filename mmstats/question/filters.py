"""Filters: which events are asked for by the values of their columns, as `COLUMN OP VALUE` says it."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from operator import ge, gt, le, lt
from typing import TYPE_CHECKING, Any

from mmstats.errors import Fault
from mmstats.question import words
from mmstats.question.columns import COLUMNS, is_column, near_path
from mmstats.wording import did_you_mean

if TYPE_CHECKING:
    from decimal import Decimal

SIGNS = ("!=", "!~", "<=", ">=", "=", "~", "<", ">")
_WORDS = ("not in", "in", "is not null", "is null")
# A key of a path that has a sign of these, or a blank, is written in quotes.
_COLUMN = re.compile(r'\s*((?:"(?:[^"]|"")*"|\[[^\[\]]*\]|[^\s=!~<>"])*)')
_SIGN = re.compile(rf"\s*({'|'.join(map(re.escape, SIGNS))})(.*)", re.DOTALL)
_WORD = re.compile(r"\s+(not\s+in|in|is\s+not\s+null|is\s+null)(?:\s+(.*))?\Z", re.DOTALL)
_ITEM = re.compile(r"(?:\\,|[^,])*", re.DOTALL)
NUMBER = re.compile(r"(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?\Z")
WHOLE_DIGITS, FRACTION_DIGITS = 18, 9
EXAMPLE = "such as 'source = google' or 'country in DE,FR'"


class Operator(Enum):
    """What is asked of a value; null passes none of these but IS_NULL."""

    IN = "in"
    MATCHES = "~"
    BELOW = "<"
    AT_MOST = "<="
    ABOVE = ">"
    AT_LEAST = ">="
    IS_NULL = "is null"


_TESTS = {"=": Operator.IN, "~": Operator.MATCHES, **{test.value: test for test in Operator}}
_COMPARED: dict[Operator, Callable[[Any, Any], Any]] = {
    Operator.BELOW: lt,
    Operator.AT_MOST: le,
    Operator.ABOVE: gt,
    Operator.AT_LEAST: ge,
}
COMPARISONS = tuple(_COMPARED)


def compares(test: Operator, value: Any, number: Any) -> Any:
    """Whether a value passes one of the `COMPARISONS` with a number: as they are compared, be they Python's or not."""
    return _COMPARED[test](value, number)


@dataclass(frozen=True, slots=True)
class Filter:
    """Selects the events whose `column` passes a test, or where it is `negated` all others, those of null among them.

    `values` are the texts that a value may be, the one pattern or the one number; IS_NULL has none.
    """

    column: str
    operator: Operator
    values: tuple[str, ...] = ()
    negated: bool = False

    @property
    def number(self) -> "Decimal":
        """What a value is compared with."""
        from decimal import Decimal  # takes a millisecond to be loaded

        return Decimal(self.values[0])


def told(asked: Filter) -> str:
    """A filter in a few words."""
    texts = [f'"{text}"' for text in asked.values]
    if asked.column == "event_name" and asked.operator is Operator.IN and not asked.negated:
        return f"event {' or '.join(texts)}"
    if asked.operator is Operator.IS_NULL:
        return f"{asked.column} is {'not ' * asked.negated}null"
    if asked.operator is Operator.IN:
        word = ("!=" if asked.negated else "=") if len(texts) == 1 else "not in" if asked.negated else "in"
        return f"{asked.column} {word} {', '.join(texts)}"
    value = texts[0] if asked.operator is Operator.MATCHES else asked.values[0]
    return f"{asked.column} {'!' * asked.negated}{asked.operator.value} {value}"


def read_filter(text: str) -> Filter:
    """The filter that a text such as `source = google` asks for.

    Raises ValueError with the rest of the sentence "this parameter …".
    """
    found = _COLUMN.match(text)
    column, rest = (found[1], text[found.end() :]) if found else ("", text)
    sign, word = _SIGN.match(rest), _WORD.match(rest)
    if not column or not (sign or word):
        raise ValueError(Fault(f"must be COLUMN OP VALUE, {EXAMPLE}, not {text!r}", _known_operators()))
    faults = [] if is_column(column) else [unknown_column(column)]
    try:
        asked = _by_sign(column, sign) if sign else _by_word(column, word, text)
    except ValueError as fault:
        faults += fault.args
    if faults:
        raise ValueError(*faults)
    return asked


def unknown_column(name: str) -> Fault:
    """What is wrong with a name that is no column one may filter by."""
    offer = did_you_mean(name, COLUMNS, aliases={word: to for word, to in words.COLUMNS.items() if to in COLUMNS})
    offer = offer or near_path(name)
    return Fault(f"has the unknown column {name!r}", offer or f"columns: {', '.join(COLUMNS)}, properties.PATH")


def _known_operators() -> str:
    return f"operators: {', '.join((*SIGNS, *_WORDS))}"


def _by_sign(column: str, found: re.Match[str]) -> Filter:
    sign, value = found[1], found[2].strip()
    _check_text(value)
    test = _TESTS[sign.removeprefix("!")]
    if test in COMPARISONS:
        number = plain_number(value)
        if number is None:
            raise ValueError(f"must compare with a number behind {sign}, not {value!r}")
        value = number
    return Filter(column, test, (value,), negated=sign.startswith("!"))


def _by_word(column: str, found: re.Match[str] | None, text: str) -> Filter:
    assert found
    word, value = " ".join(found[1].split()), (found[2] or "").strip()
    _check_text(value)
    if "null" in word:
        if value:
            raise ValueError(f"has {value!r} behind {word} in {text!r}")
        return Filter(column, Operator.IS_NULL, negated="not" in word)
    return Filter(column, Operator.IN, tuple(dict.fromkeys(_items(value))), negated="not" in word)


def _items(text: str) -> Sequence[str]:
    items, at = [], 0
    while at <= len(text):
        found = _ITEM.match(text, at)
        assert found
        items.append(found[0].strip().replace("\\,", ","))
        at = found.end() + 1
    return items


def _check_text(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("must be valid UTF-8") from None


def plain_number(text: str) -> str | None:
    """The number that a text is, in plain notation without needless zeros; None for one that is none.

    A number has JSON's form, and in plain notation at most 18 digits before and 9 after the point.
    """
    found = NUMBER.match(text)
    if not found:
        return None
    sign, whole, fraction, exponent = found[1], found[2], found[3] or "", found[4] or "0"
    digits = (whole + fraction).rstrip("0")
    if not digits.strip("0"):
        return "0"
    if len(exponent.lstrip("+-0")) > 6:
        return None
    point = len(whole) + int(exponent) - (len(digits) - len(digits.lstrip("0")))  # digits before the point
    digits = digits.lstrip("0")
    if point > WHOLE_DIGITS or len(digits) - point > FRACTION_DIGITS:
        return None
    before, after = digits[: max(point, 0)].ljust(point, "0"), "0" * -point + digits[max(point, 0) :]
    return f"{sign}{before or '0'}{after and '.' + after}"
