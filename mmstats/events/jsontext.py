"""JSON text in blocks of lines, an object a line: as the lines of a file come, or from the elements of an array."""

import json
import re
from collections.abc import Iterator
from typing import BinaryIO, cast

from mmstats.errors import Unreadable
from mmstats.events.eventfile import EventFile
from mmstats.events.textfile import line_blocks
from mmstats.limits import Limits

_BLANK = re.compile(r"[ \t\r\n]*")


def blocks_of(file: EventFile, stream: BinaryIO, limits: Limits) -> tuple[str, Iterator[bytes]]:
    """What a line of a block is in the file, `line` or `row`, and the blocks."""
    if file.format.name == "json" and _first_byte(stream) == b"[":
        return "row", _array_blocks(file, stream, limits.array_elements)
    return "line", line_blocks(stream, limits.text_block_bytes)


def _first_byte(stream: BinaryIO) -> bytes:
    """The first byte that is not blank; blanks before it are passed over."""
    peek = getattr(stream, "peek")  # noqa: B009 - a BufferedReader, which BinaryIO does not say
    while head := peek(1):
        found = cast(bytes, head).lstrip()
        if found:
            return found[:1]
        stream.read(len(head))
    return b""


def _array_blocks(file: EventFile, stream: BinaryIO, size: int) -> Iterator[bytes]:
    elements: list[str] = []
    for element in _elements(file, stream):
        elements.append(element)
        if len(elements) == size:
            yield ("\n".join(elements) + "\n").encode()
            elements.clear()
    yield "\n".join(elements).encode()


def _elements(file: EventFile, stream: BinaryIO) -> Iterator[str]:
    """The text of each element of one array, on one line each.

    Raises Unreadable where the array is cut off or broken: there is no telling where its next element begins.
    """
    text = _decoded(file, stream)
    decode = json.JSONDecoder(parse_int=str, parse_float=str).raw_decode  # only to find where an element ends
    at, row = _skip(text, _skip(text, 0) + 1), 1
    closed = text[at : at + 1] == "]"
    while not closed:
        try:
            _, end = decode(text, at)
        except (json.JSONDecodeError, RecursionError) as error:
            why = error.msg if isinstance(error, json.JSONDecodeError) else "nested too deep"
            raise Unreadable(f"{file}: row {row:,}: broken JSON array: {why}") from None
        yield text[at:end].replace("\n", " ").replace("\r", " ")  # in valid JSON they stand between tokens only
        at = _skip(text, end)
        closed = text[at : at + 1] == "]"
        if not closed and text[at : at + 1] != ",":
            raise Unreadable(f"{file}: row {row:,}: broken JSON array: no ',' or ']' after it", hint="is it whole?")
        at, row = (at if closed else _skip(text, at + 1)), row + 1
    if _skip(text, at + 1) != len(text):
        raise Unreadable(f"{file}: text after the array's end")


def _decoded(file: EventFile, stream: BinaryIO) -> str:
    try:
        return stream.read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise Unreadable(f"{file}: invalid UTF-8 at byte {error.start + 1:,} of the array") from None


def _skip(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at
