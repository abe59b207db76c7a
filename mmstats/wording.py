"""Words for people: suggestions for misspelt names, names of parameters, text made safe to show, amounts of memory."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from types import MappingProxyType

_SHORTEST = 3  # letters; of fewer every other short name is near
_LONG = 10  # letters, from which on two edits are forgiven


def similar(name: str, known: Iterable[str]) -> list[str]:
    """Those of `known` that `name` may be a misspelling of: the nearest ones, and none where none is near.

    Near is the same name in another case or with other dashes, then one edit (two in names of ten letters), where a
    swap of neighbours is one edit, and as near a beginning of at least half the name.
    """
    folded = _fold(name)
    ranks: dict[int, list[str]] = {}
    for candidate in dict.fromkeys(known):
        rank = _rank(folded, _fold(candidate))
        if rank is not None:
            ranks.setdefault(rank, []).append(candidate)
    return ranks[min(ranks)] if ranks else []


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The one of `known` that `name` is most likely a misspelling of, or None when none or several are."""
    candidates = similar(name, known)
    return candidates[0] if len(candidates) == 1 else None


def did_you_mean(
    name: str, known: Iterable[str], form: str = "{}", aliases: Mapping[str, str] = MappingProxyType({})
) -> str:
    """`did you mean X?` for what is similar among `known`, written as `form`; empty for none, and for more than two.

    A name that is similar to one of the `aliases` means what that stands for.
    """
    candidates = list(dict.fromkeys(aliases.get(one, one) for one in similar(name, [*known, *aliases])))
    offer = " or ".join(form.format(candidate) for candidate in candidates)
    return f"did you mean {offer}?" if len(candidates) in (1, 2) else ""


def _fold(name: str) -> str:
    return name.casefold().replace("-", "").replace("_", "").strip()


def _rank(name: str, candidate: str) -> int | None:
    """How many edits lie between two folded names, or None when they are not near."""
    if name and name == candidate:
        return 0
    shorter, longer = sorted((len(name), len(candidate)))
    if shorter < _SHORTEST:
        return None
    if candidate.startswith(name) and 2 * len(name) >= len(candidate):
        return 1
    most = 1 if longer < _LONG else 2
    if longer - shorter > most:
        return None
    edits = _edits(name, candidate)
    return edits if edits <= most else None


def _edits(one: str, other: str) -> int:
    """The optimal string alignment distance: insertions, deletions, replacements and swaps of neighbours."""
    while one and other and one[0] == other[0]:
        one, other = one[1:], other[1:]
    while one and other and one[-1] == other[-1]:
        one, other = one[:-1], other[:-1]
    before: list[int] = []
    row: list[int] = [*range(len(other) + 1)]
    for i, left in enumerate(one, 1):
        older, before, row = before, row, [i]
        for j, right in enumerate(other, 1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (left != right)))
            if i > 1 and j > 1 and left == other[j - 2] and one[i - 2] == right:
                row[j] = min(row[j], older[j - 2] + 1)
    return row[-1]


def joined(offers: Iterable[str]) -> str:
    """Several offers as one line; empty ones are left out."""
    return "; ".join(filter(None, offers)).replace("?; ", "? ")


def spelt(sentence: str, flags: bool = False) -> str:
    """A sentence in which each name of a parameter, in backticks, is spelt as a flag or as it is."""
    return re.sub(r"`(\w+)`", lambda name: spelt_name(name[1], flags), sentence)


def spelt_name(name: str, flags: bool = False) -> str:
    """The name of a parameter as a flag or as it is."""
    return "--" + name.replace("_", "-") if flags else name


def names_in(sentence: str) -> list[str]:
    """The names of parameters that stand in a sentence in backticks."""
    return re.findall(r"`(\w+)`", sentence)


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
