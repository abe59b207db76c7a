"""The sketch in plain integers: XXH64 as specified, registers in a dict, the estimate by fractions."""

import math
from collections.abc import Iterable
from fractions import Fraction
from functools import cache

_P1, _P2, _P3 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9
_P4, _P5 = 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5
_MASK = (1 << 64) - 1

Sketch = dict[int, tuple[int, int]]


@cache
def xxh64(data: bytes, seed: int = 0) -> int:
    """XXH64 of bytes."""
    rest, digest = data, seed + _P5
    if len(data) >= 32:
        lanes = [seed + _P1 + _P2, seed + _P2, seed, seed - _P1]
        while len(rest) >= 32:
            lanes = [_round(lane, _word(rest[8 * index :], 8)) for index, lane in enumerate(lanes)]
            rest = rest[32:]
        digest = sum(_rotated(lane, by) for lane, by in zip(lanes, (1, 7, 12, 18), strict=True))
        for lane in lanes:
            digest = (digest ^ _round(0, lane)) * _P1 + _P4
    digest = (digest + len(data)) & _MASK
    while len(rest) >= 8:
        digest = _rotated(digest ^ _round(0, _word(rest, 8)), 27) * _P1 + _P4
        rest = rest[8:]
    if len(rest) >= 4:
        digest = _rotated(digest ^ _word(rest, 4) * _P1, 23) * _P2 + _P3
        rest = rest[4:]
    for byte in rest:
        digest = _rotated(digest ^ byte * _P5, 11) * _P1
    digest = ((digest & _MASK) ^ (digest & _MASK) >> 33) * _P2 & _MASK
    digest = (digest ^ digest >> 29) * _P3 & _MASK
    return digest ^ digest >> 32


def _word(data: bytes, size: int) -> int:
    return int.from_bytes(data[:size], "little")


def _rotated(number: int, by: int) -> int:
    number &= _MASK
    return (number << by | number >> 64 - by) & _MASK


def _round(lane: int, word: int) -> int:
    return _rotated(lane + word * _P2, 31) * _P1 & _MASK


def sketch(ids: Iterable[str | None]) -> Sketch:
    """The smallest and the largest value of each register touched."""
    registers: Sketch = {}
    for one in ids:
        if one is not None:
            digest = xxh64(one.encode(), 42)
            value = digest >> 32
            low, high = registers.get(digest % 16384, (value, value))
            registers[digest % 16384] = (min(low, value), max(high, value))
    return registers


def merged(one: Sketch, other: Sketch) -> Sketch:
    """The sketch of two parts: the minimum of minima and the maximum of maxima."""
    whole = dict(one)
    for register, (low, high) in other.items():
        before = whole.get(register, (low, high))
        whole[register] = (min(low, before[0]), max(high, before[1]))
    return whole


def estimate(registers: Sketch) -> int:
    """m·(c1 + 2·c2)/(m − S), rounded half up."""
    shown = sum(1 if low == high else 2 for low, high in registers.values())
    spread = sum(Fraction(high - low, 1 << 32) for low, high in registers.values())
    return math.floor(16384 * shown / (16384 - spread) + Fraction(1, 2))
