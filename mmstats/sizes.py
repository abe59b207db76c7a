"""Amounts of memory as a person writes and reads them: `700MiB`, `2GB`, `1g`, or plain bytes."""

import re

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
