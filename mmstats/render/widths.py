"""Text measured in terminal cells, and made to fit a number of them."""

import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache

from rich.cells import cell_len, get_character_cell_size, split_graphemes

_HANGUL_FILLER = "\u3164"


def cells(text: str) -> int:
    """How many cells `text` takes at most: wide characters two, accents none, joined emoji those of their parts."""
    # Rich counts nothing for what a terminal may join to the character before. Many terminals join nothing, and
    # a row measured too short would wrap there.
    if text.isascii():
        return len(text)
    return cell_len(text.replace("\u200d", "")) + sum(map(_unjoined, text))


@lru_cache(maxsize=4096)
def _unjoined(char: str) -> int:
    """The cells of a skin tone, a spacing vowel sign or a filler, for which Rich counts none."""
    if char == _HANGUL_FILLER:
        return 2
    width = {"Sk": 2, "Mc": 1}.get(unicodedata.category(char), 0)
    return width if width and not get_character_cell_size(char) else 0


def shorten(text: str, width: int, ellipsis: str = "…") -> str:
    """`text` in at most `width` cells, its middle replaced by `ellipsis` where it is longer."""
    if cells(text) <= width:
        return text
    room = width - cells(ellipsis)
    if room < 0:
        return ellipsis[: max(width, 0)]
    letters = [text[start:end] for start, end, _ in split_graphemes(text)[0]]
    head = "".join(_leading(letters, (room + 1) // 2))
    tail = _leading(reversed(letters), room - cells(head))
    return head + ellipsis + "".join(reversed(tail))


def _leading(letters: Iterable[str], room: int) -> list[str]:
    """As many of `letters`, from the first on, as `room` cells hold."""
    taken = []
    for letter in letters:
        room -= cells(letter)
        if room < 0:
            break
        taken.append(letter)
    return taken


def share_out(wanted: Sequence[int], room: int) -> list[int]:
    """`room` cells shared among columns: the short get what they want, the long equal parts of the rest."""
    given = [0] * len(wanted)
    for rank, index in enumerate(sorted(range(len(wanted)), key=wanted.__getitem__)):
        given[index] = min(wanted[index], room // (len(wanted) - rank))
        room -= given[index]
    return given


def wrap(text: str, width: int, ellipsis: str = "…") -> list[str]:
    """`text` in lines of at most `width` cells, broken at blanks; a longer word is shortened."""
    lines: list[str] = []
    for word in text.split(" "):
        if lines and cells(longer := f"{lines[-1]} {word}") <= width:
            lines[-1] = longer
        else:
            lines.append(shorten(word, width, ellipsis))
    return lines
