"""The characters that a console's encoding lets a table be drawn with."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Alphabet:
    """What a table is drawn with.

    `marks` fill one cell of a bar, from its least part to all of it; `encoding` is what all text must pass.
    """

    encoding: str
    ellipsis: str = "…"
    rule: str = "─"
    dot: str = "·"
    marks: str = "▏▎▍▌▋▊▉█"

    def spelled(self, text: str) -> str:
        """`text` with the characters that the encoding lacks written as escapes."""
        return text.encode(self.encoding, "backslashreplace").decode(self.encoding)


def alphabet_of(encoding: str) -> Alphabet:
    """Block and line characters where `encoding` is a form of Unicode, else ASCII."""
    if encoding.lower().startswith("utf"):
        return Alphabet(encoding)
    return Alphabet(encoding, ellipsis="..", rule="-", dot="-", marks="#")
