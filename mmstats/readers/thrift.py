"""Structs in Thrift's compact protocol, which the footers and the page headers of Parquet files are in.

Read by hand: there are hundreds of headers in a file, PyArrow does not show those of pages, and takes longer to import
than a small question to answer.
"""

from typing import Any

# Types of values, as the protocol numbers them.
BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, STRUCT = 3, 4, 5, 6, 7, 8, 9, 10, 12
_BOOLEANS = (1, 2)  # true and false

Struct = dict[tuple[int, int], Any]  # values by the number and the type of their field
# What is raised for bytes that are no struct, and for one that has not what is expected.
FAULTS = (LookupError, TypeError, AttributeError, ValueError, RecursionError)


def read_struct(data: bytes, at: int = 0, number: int = 0, stop: int = 1 << 16) -> tuple[Struct, int]:
    """The struct that begins at a place, or goes on there behind the field of a number, and where it ends.

    Where a field of the number `stop` or a higher one comes, the place is that of its value. Values of fields that are
    integers, texts (as bytes), structs and lists are told, of others only that they are there. Raises one of FAULTS.
    """
    found: Struct = {}
    while head := data[at]:
        at += 1
        if head >> 4:
            number += head >> 4
        else:
            number, at = integer(data, at)
        if number >= stop:
            return found, at
        found[number, head & 15], at = _value(data, at, head & 15)
    return found, at + 1


def list_header(data: bytes, at: int) -> tuple[int, int, int]:
    """How many values the list has that begins at a place, their type, and where the first of them is."""
    head = data[at]
    count, at = (head >> 4, at + 1) if head >> 4 < 15 else varint(data, at + 1)
    return count, head & 15, at


def _value(data: bytes, at: int, kind: int) -> tuple[Any, int]:
    """The value of a type that begins at a place, and where it ends."""
    if I16 <= kind <= I64:
        return integer(data, at)
    if kind == STRUCT:
        return read_struct(data, at)
    if kind == BINARY:
        size, at = varint(data, at)
        if at + size > len(data):
            raise ValueError("a text goes beyond the end")
        return data[at : at + size], at + size
    if kind in (LIST, SET):
        count, held, at = list_header(data, at)
        values = []
        for _ in range(count):
            value, at = _value(data, at, BYTE if held in _BOOLEANS else held)
            values.append(value)
        return values, at
    if kind in _BOOLEANS:
        return None, at
    if kind not in (BYTE, DOUBLE):
        raise ValueError("a type that is not expected")
    return None, at + (1 if kind == BYTE else 8)


def integer(data: bytes, at: int) -> tuple[int, int]:
    """A signed integer, and where it ends."""
    value = data[at]
    at += 1
    if value > 127:
        value, at = varint(data, at - 1)
    return (value >> 1) ^ -(value & 1), at


def varint(data: bytes, at: int) -> tuple[int, int]:
    """A number of any size that is not negative, and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
