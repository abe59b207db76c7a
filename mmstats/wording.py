"""Words for people: suggestions for misspelt names, text made safe to show, amounts of memory."""

import re
import unicodedata
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The one of `known` that `name` most resembles, or None when none is similar."""
    import difflib  # costs 3 ms and is needed only after a mistake

    folded = {_fold(candidate): candidate for candidate in known}
    close = difflib.get_close_matches(_fold(name), folded, n=1, cutoff=0.6)
    return folded[close[0]] if close else None


def did_you_mean(name: str, known: Iterable[str], form: str = "{}") -> str:
    """`did you mean X?` for the nearest of `known`, written as `form`, or an empty string."""
    candidate = nearest(name, known)
    return f"did you mean {form.format(candidate)}?" if candidate else ""


def _fold(name: str) -> str:
    return name.casefold().replace("-", "").replace("_", "")


# Cc: controls and escapes. Cf: bidirectional and other invisible marks. Zl, Zp: line breaks. Cs: lone surrogates.
_INVISIBLE = frozenset({"Cc", "Cf", "Zl", "Zp", "Cs"})
_JOINERS = frozenset("\u200c\u200d")  # they shape Persian words and emoji, and reorder nothing
_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def visible(text: str) -> str:
    """`text` with every character that would act on a terminal, or hide in it, written as its escape."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_visible, text))


def _visible(char: str) -> str:
    if unicodedata.category(char) not in _INVISIBLE or char in _JOINERS:
        return char
    if char in _ESCAPES:
        return _ESCAPES[char]
    point = ord(char)
    if point < 0x100:
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"


def is_encodable(text: str) -> bool:
    """Whether a text can be written as UTF-8; a file name of other bytes has surrogates, which cannot."""
    return text.encode("utf-8", "replace").decode() == text


_BINARY = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
_DECIMAL = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_UNITS = {"bytes": 1, **_BINARY, **_DECIMAL}
# A unit of one letter is binary, as other programs read it where they bound memory.
_READ: dict[str, int] = {"": 1, "b": 1} | {name.lower(): size for name, size in (_BINARY | _DECIMAL).items()}
_READ |= {name[0].lower(): size for name, size in _BINARY.items()}
_SIZE = re.compile(r"([0-9]{1,15})(?:\.([0-9]{1,6}))? ?([a-z]*)", re.ASCII | re.IGNORECASE)


def read_size(text: str) -> int:
    """The number of bytes that a text such as `700MiB` names.

    Raises ValueError with the rest of the sentence "this option …".
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


def plural(count: int, noun: str) -> str:
    """A count and its noun: `1 file`, `1,200 files`."""
    return f"1 {noun}" if count == 1 else f"{count:,} {noun}s"


def size_text(size: int) -> str:
    """A number of bytes in the unit in which it is the least whole number, as `700 MiB`; else rounded, as `1.3 GiB`."""
    number, unit = min((size // unit, name) for name, unit in _UNITS.items() if size % unit == 0)
    if number < 10_000:
        return f"{number} {unit}"
    share, unit = min((size / unit, name) for name, unit in _BINARY.items() if size >= unit)
    return f"{share:.4g} {unit}"
