"""Words for people: what a misspelt name meant, text made safe to show, amounts of memory."""

import re
import unicodedata
from collections.abc import Iterable, Sequence


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The one of `known` that `name` most resembles, or None when none is near."""
    import difflib  # costs 3 ms and is needed only after a mistake

    folded = {_fold(candidate): candidate for candidate in known}
    close = difflib.get_close_matches(_fold(name), folded, n=1, cutoff=0.6)
    return folded[close[0]] if close else None


def did_you_mean(name: str, known: Iterable[str], form: str = "{}") -> str:
    """`did you mean X?` for the nearest of `known`, written as `form`, or an empty string."""
    candidate = nearest(name, known)
    return f"did you mean {form.format(candidate)}?" if candidate else ""


def one_of(text: str, choices: Sequence[str]) -> str:
    """`text` when it is one of the choices.

    Raises ValueError, whose message ends the sentence "this parameter …".
    """
    if text in choices:
        return text
    meant = did_you_mean(text, choices)
    raise ValueError(f"must be {' or '.join(choices)}, not {text!r}" + (f"; {meant}" if meant else ""))


def _fold(name: str) -> str:
    return name.casefold().replace("-", "").replace("_", "")


# Cc: controls and escapes. Cf: bidirectional and other invisible marks. Zl, Zp: line breaks. Cs: lone surrogates.
_UNSEEN = frozenset({"Cc", "Cf", "Zl", "Zp", "Cs"})
_JOINERS = frozenset("\u200c\u200d")  # they shape Persian words and emoji, and reorder nothing


def visible(text: str) -> str:
    """`text` with every character that would act on a terminal, or hide in it, written as its escape."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_seen, text))


def _seen(char: str) -> str:
    if unicodedata.category(char) not in _UNSEEN or char in _JOINERS:
        return char
    return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(char) or _escape(ord(char))


def _escape(point: int) -> str:
    if point < 0x100:
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"


def is_encodable(text: str) -> bool:
    """Whether a text has UTF-8: names whose bytes are none have surrogates for them."""
    return text.encode("utf-8", "replace").decode() == text


_BINARY = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
_DECIMAL = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_UNITS = {"bytes": 1, **_BINARY, **_DECIMAL}
# One letter is binary, as elsewhere where memory is bounded.
_READ: dict[str, int] = {"": 1, "b": 1} | {name.lower(): size for name, size in (_BINARY | _DECIMAL).items()}
_READ |= {name[0].lower(): size for name, size in _BINARY.items()}
_SIZE = re.compile(r"([0-9]{1,15})(?:\.([0-9]{1,6}))? ?([a-z]*)", re.ASCII | re.IGNORECASE)


def read_size(text: str) -> int:
    """The bytes that a text says.

    Raises ValueError, whose message ends the sentence "this parameter …".
    """
    match = _SIZE.fullmatch(text)
    unit = _READ.get(match[3].lower()) if match else None
    if not match or unit is None or (match[2] and unit == 1):
        raise ValueError(f"must be a size such as 700MiB, 2GB, 1g or plain bytes, not {text!r}")
    fraction = match[2] or "0"
    size = int(match[1]) * unit + int(fraction) * unit // int(10 ** len(fraction))
    if not size:
        raise ValueError(f"must be more than nothing, not {text!r}")
    return size


def size_text(size: int) -> str:
    """The bytes in the unit that says them exactly with the least number, as `700 MiB`; else nearly, as `1.3 GiB`."""
    number, unit = min((size // unit, name) for name, unit in _UNITS.items() if size % unit == 0)
    if number < 10_000:
        return f"{number} {unit}"
    share, unit = min((size / unit, name) for name, unit in _BINARY.items() if size >= unit)
    return f"{share:.4g} {unit}"
