"""Text from the data made safe to show: control, escape and bidirectional characters are written as escapes."""

import unicodedata

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
