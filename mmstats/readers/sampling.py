"""The columns and paths in the first rows of a few files, whatever columns these are."""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain, islice

import polars as pl

from mmstats.errors import DatasetError
from mmstats.files.event_file import EventFile
from mmstats.files.text_file import open_bytes
from mmstats.paths import Path, Step
from mmstats.readers import value_text
from mmstats.readers.columnar_file import ENGINE_FAULTS, is_stream, read_schema, read_stream, scan_files
from mmstats.readers.csv_head import read_head
from mmstats.readers.csv_records import decoded, read_records
from mmstats.readers.json_paths import TYPED_VALUES
from mmstats.readers.json_text import Number, blocks_of, column_text, value_of
from mmstats.readers.log_lines import NAMES
from mmstats.readers.projection import Projection
from mmstats.schemas.outline import JSON_TEXT, LIST, OBJECT, Outline, PathUse

_MOST_FILES, _MOST_ROWS = 5, 200  # rows of each file
_MOST_BYTES = 1 << 20  # of a text file below its header
_MOST_PATHS, _MOST_LEVELS = 500, 6  # keys may be anything, such as the ids of users
_MOST_SAMPLES, _LONGEST_SAMPLE = 3, 80  # of a path, and their characters
_Row = Mapping[str, object]  # by column: a text, or what `value_of` makes of JSON


def outline_of(files: Sequence[EventFile], projection: Projection) -> Outline:
    """The columns and paths in the first rows of the first file, and of others spread evenly over the rest.

    A file that cannot be read is passed over, and so are rows.
    """
    rest = files[1:]
    apart = max(1, -(-len(rest) // (_MOST_FILES - 1)))
    outliner = _Outliner()
    for file in (*files[:1], *rest[apart - 1 :: apart]):
        with suppress(DatasetError, *ENGINE_FAULTS, OSError, UnicodeDecodeError):
            columns, kinds, rows = _first_rows(file, projection)
            outliner.add([*columns, *file.partition], kinds, ({**file.partition, **row} for row in rows))
    return outliner.outline()


def _first_rows(file: EventFile, projection: Projection) -> tuple[Sequence[str], Mapping[str, str], Iterable[_Row]]:
    """The columns of a file as far as its head shows them, the kinds that its own types tell, and its first rows."""
    if not file.format.is_text:
        return _columnar_rows(file)
    if file.format.name == "log":
        return NAMES, {}, ()
    if file.format.name in ("csv", "tsv"):
        return _csv_rows(file, projection)
    with open_bytes(file) as stream:
        block = next(blocks_of(file, stream, projection)[1], b"")
    return (), {}, list(islice(_objects(block), _MOST_ROWS))


def _objects(block: bytes) -> Iterator[_Row]:
    for line in io.BytesIO(block):
        with suppress(ValueError, RecursionError):
            value = value_of(line)
            if isinstance(value, dict):
                yield value


def _csv_rows(file: EventFile, projection: Projection) -> tuple[Sequence[str], Mapping[str, str], Iterable[_Row]]:
    dialect = projection.dialect
    with open_bytes(file) as stream:
        found = read_head(file, stream, dialect, projection.limits.csv_header_bytes)
        if found is None:
            return (), {}, ()
        head, below = found
        text = below + stream.read(max(0, _MOST_BYTES - len(below)))
    records = (one for one in read_records(io.BytesIO(text), head.syntax) if len(one.fields) == len(head.names))
    nulls = ("", *dialect.null_texts)
    rows = []
    for record in islice(records, _MOST_ROWS):
        with suppress(UnicodeDecodeError):
            fields = zip(head.names, map(decoded, record.fields), strict=True)
            rows.append({name: None if field in nulls else field for name, field in fields})
    return head.names, {}, rows


def _columnar_rows(file: EventFile) -> tuple[Sequence[str], Mapping[str, str], Iterable[_Row]]:
    schema = read_schema(file)
    types = {**schema.columns, **schema.logical}
    how = {"schema": schema.columns} if file.format.name == "parquet" else {}
    head = (read_stream(file).lazy() if is_stream(file) else scan_files([file], **how)).head(_MOST_ROWS)
    texts: dict[str, list[str | None]] = {}
    for name, dtype in types.items():
        with suppress(DatasetError, *ENGINE_FAULTS, OSError):  # of a type that cannot be read only its name is told
            text = value_text.text(pl.col(name), dtype).alias("text")
            texts[name] = head.select(text).collect()["text"].to_list()
    nested = {name for name, dtype in types.items() if dtype.is_nested() or value_text.is_json(dtype)}
    rows = max(map(len, texts.values()), default=0)
    values = ({name: _value(text[row], name in nested) for name, text in texts.items()} for row in range(rows))
    return tuple(types), {name: _kind_of(dtype) for name, dtype in types.items()}, values


def _value(text: str | None, is_json: bool) -> object:
    """The value of a text that is JSON where the column's type is nested."""
    return text if text is None or not is_json else _parsed(text)


def _kind_of(dtype: pl.DataType) -> str:
    """What a type of a column is called; empty where each value says what it is."""
    if dtype.is_nested() or isinstance(dtype, pl.String | pl.Binary | pl.Extension):
        return ""
    if dtype.is_temporal():
        return {pl.Datetime: "timestamp", pl.Date: "date", pl.Time: "time"}.get(type(dtype), "duration")
    if dtype.is_numeric():
        return "integer" if dtype.is_integer() else "number"
    return "boolean" if isinstance(dtype, pl.Boolean) else ""


@dataclass(slots=True)
class _Node:
    """What was seen at one path."""

    path: Path
    kinds: dict[str, int] = field(default_factory=dict)
    samples: dict[str, None] = field(default_factory=dict)
    values: int = 0
    holds_objects: bool = False
    below: "dict[Step, _Node]" = field(default_factory=dict)

    def uses(self, rows: int) -> Iterator[PathUse]:
        """It, then all below it."""
        kinds = tuple(sorted(self.kinds, key=lambda kind: -self.kinds[kind]))
        samples = () if self.below else tuple(self.samples)
        yield PathUse(self.path, kinds, rows, rows - self.values, samples, self.holds_objects)
        for node in self.below.values():
            yield from node.uses(rows)


class _Outliner:
    """Takes the rows of files, and makes an outline of them."""

    def __init__(self) -> None:
        self._columns: dict[str, _Node] = {}
        self._rows = self._width = self._paths = 0
        self._left_out: set[Path] = set()

    def add(self, columns: Sequence[str], kinds: Mapping[str, str], rows: Iterable[_Row]) -> None:
        """Take the rows of a file, of whose columns some, and some kinds, are known."""
        self._width = max(self._width, len(columns))
        for name in columns:
            node = self._columns.setdefault(name, _Node(Path(name)))
            node.kinds |= {kinds[name]: 0} if kinds.get(name) and not node.kinds else {}
        for row in rows:
            self._rows += 1
            for name, value in row.items():
                self._see(self._columns.setdefault(name, _Node(Path(name))), value, kinds.get(name, ""))

    def outline(self) -> Outline:
        """The outline of all the rows."""
        uses = chain.from_iterable(node.uses(self._rows) for node in self._columns.values())
        width = max(self._width, len(self._columns))
        return Outline(tuple(uses), self._rows, width, len(self._left_out))

    def _see(self, node: _Node, value: object, kind: str = "") -> None:
        if value is None:
            return
        node.values += 1
        # Only a column's own text is parsed: a text inside an object is a leaf.
        held = _parsed(value) if type(value) is str and not node.path.steps else value
        found = JSON_TEXT if held is not value else kind or _kind(value)
        node.kinds[found] = node.kinds.get(found, 0) + 1
        node.holds_objects |= isinstance(held, list) and any(isinstance(one, dict) for one in held)
        for step, one in _steps(held).items() if len(node.path.steps) < _MOST_LEVELS else ():
            if below := self._below(node, step):
                self._see(below, one)
        if not node.below and len(node.samples) < _MOST_SAMPLES:
            node.samples[_sample(value)] = None

    def _below(self, node: _Node, step: Step) -> _Node | None:
        path = Path(node.path.column, (*node.path.steps, step))
        if step not in node.below and self._paths == _MOST_PATHS:
            self._left_out.add(path)
            return None
        if step not in node.below:
            self._paths += 1
            node.below[step] = _Node(path)
        return node.below[step]


def _parsed(text: str) -> object:
    """The list or the object that a text is JSON of, else the text."""
    if text[:1] in ("{", "["):
        with suppress(ValueError, RecursionError):
            return value_of(text.encode())
    return text


def _steps(value: object) -> dict[Step, object]:
    """The steps that go on from a value, and where they lead."""
    if isinstance(value, dict):
        return {Step(key): one for key, one in value.items()}
    found: dict[Step, object] = {}
    for one in value if isinstance(value, list) else ():
        if isinstance(one, dict) and isinstance(one.get("key"), str):
            found.setdefault(Step(one["key"], entry=True), _typed(one.get("value")))
    return found


def _typed(value: object) -> object:
    """The value of an entry: of an object of typed values the first that is not null."""
    if not isinstance(value, dict) or not any(name in value for name in TYPED_VALUES):
        return value
    return next((value[name] for name in TYPED_VALUES if value.get(name) is not None), None)


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, Number):
        return "integer" if value.lstrip("-").isdigit() else "number"
    return OBJECT if isinstance(value, dict) else LIST if isinstance(value, list) else "text"


def _sample(value: object) -> str:
    """A value as a short text."""
    try:
        text = column_text(value) or ""
    except ValueError:  # half a character, or a number too large
        text = str(value)
    return text if len(text) <= _LONGEST_SAMPLE else f"{text[: _LONGEST_SAMPLE - 1]}…"
