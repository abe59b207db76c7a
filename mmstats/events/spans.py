"""From when to when a file's events are: what footers and manifests prove of a range without reading rows."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from hashlib import sha256

from mmstats.cache import Cache
from mmstats.dataset import Dataset
from mmstats.events.alike import parts_of
from mmstats.events.eventfile import EventFile
from mmstats.events.footers import span_of
from mmstats.events.part import Part
from mmstats.events.readlog import ReadLog
from mmstats.events.rows import Shape
from mmstats.events.schema import REQUIRED, Wanted
from mmstats.events.statistics import UnknownFooter
from mmstats.version import build_id

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - naive means UTC here


class Place(Enum):
    """Where a file's events lie to the range that a question asks for."""

    INSIDE = "inside"
    CUT = "cut"
    OUTSIDE = "outside"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Span:
    """A file's first and last instant, in microseconds since the epoch, and the names of its columns."""

    first: int
    last: int
    columns: tuple[str, ...] = ()


def place_of(span: Span | None, wanted: Wanted) -> Place:
    """Where a span lies to the range wanted."""
    if not wanted.bounded:
        return Place.INSIDE
    if span is None:
        return Place.UNKNOWN
    start = span.first if wanted.start is None else _micros(wanted.start)
    end = span.last + 1 if wanted.end is None else _micros(wanted.end)
    if span.last < start or end <= span.first:
        return Place.OUTSIDE
    return Place.INSIDE if start <= span.first and span.last < end else Place.CUT


def _micros(instant: datetime) -> int:
    return (instant - _EPOCH) // timedelta(microseconds=1)


def stored_span(file: EventFile) -> Span | None:
    """The span that a store's manifest proves of a file."""
    if file.stored is None:
        return None
    return Span(_micros(file.stored.first), _micros(file.stored.last), (*REQUIRED, *file.stored.columns))


def spans_of(
    files: Collection[EventFile], known: Mapping[str, str], shape: Shape, kept: "KeptSpans"
) -> dict[str, Span]:
    """The spans of those Parquet files whose footers tell, by path; `known` are the identities of files by path.

    Raises Unreadable and NotEvents for a file that no question could be asked of.
    """
    told = [file for file in files if file.format.name == "parquet" and file.path in known]
    spans = kept.find()
    unknown = [file for file in told if known[file.path] not in spans]
    if sum(file.size for file in unknown) >= shape.limits.footer_bytes:
        spans |= {known[path]: span for path, span in _read(unknown, shape).items()}
        kept.keep({known[file.path]: spans.get(known[file.path]) for file in told})
    found = {file.path: spans.get(known[file.path]) for file in told}
    return {path: span for path, span in found.items() if span}


def _read(files: Sequence[EventFile], shape: Shape) -> dict[str, Span | None]:
    parts = [each for part in parts_of(files, shape, ReadLog()) for each in part.split()]
    return {part.files[0].path: _of(part) for part in parts}


def _of(part: Part) -> Span | None:
    try:
        span = span_of(part)
    except UnknownFooter:
        return None
    return span and Span(*span, (*part.schema, *part.files[0].partition))


class KeptSpans:
    """Spans in the cache, by the identity of their files; None for files whose footers do not tell."""

    def __init__(self, cache: Cache, dataset: Dataset) -> None:
        self._cache = cache
        asked = f"{build_id()} spans {dataset.locations} {dataset.columns.get('timestamp')} {dataset.input_format}"
        self._key = sha256(asked.encode("utf-8", "surrogateescape")).hexdigest()

    def find(self) -> dict[str, Span | None]:
        """All that are kept."""
        content = self._cache.find(self._key)
        entries = json.loads(content) if content else {}
        return {known: entry and Span(entry[0], entry[1], tuple(entry[2])) for known, entry in entries.items()}

    def keep(self, spans: Mapping[str, Span | None]) -> None:
        """Keep these and no others."""
        entries = {known: span and (span.first, span.last, span.columns) for known, span in spans.items()}
        self._cache.keep(self._key, json.dumps(entries, ensure_ascii=True).encode())
