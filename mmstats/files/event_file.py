"""One file of events: where it is, how its bytes are read, and what the folders around it say."""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import PurePath
from urllib.parse import unquote

from mmstats.dataset import Dataset
from mmstats.dialect import Dialect
from mmstats.errors import NotEvents, Unreadable
from mmstats.files.manifest import StoreFile
from mmstats.storage import Status, Storage
from mmstats.storage.disk import DISK
from mmstats.wording import visible

TEXT_FORMATS = frozenset({"ndjson", "json", "csv", "tsv", "log"})

EXTENSIONS = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".json": "json",  # NDJSON, unless its first byte opens an array
    ".csv": "csv",
    ".tsv": "tsv",
    ".arrow": "arrow",
    ".feather": "arrow",
}
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd", ".br": "brotli"}
UNSAID = (".txt", ".log")  # which say no format, as no extension does; a number or a long word behind a dot is none
_EXTENSION = re.compile(r"\.[a-z][a-z0-9]{0,5}\Z")
# Parquet compresses inside, and some writers name the codec: such a file is Parquet where it begins as one.
CODECS = tuple(f"{end}.{codec}" for end in (".parquet", ".pq") for codec in ("gzip", "zstd", "snappy", "lz4", "br"))
KNOWN = f"event files end in {', '.join(EXTENSIONS)} (text also .gz, .zst, .br)"
BOM = b"\xef\xbb\xbf"
BINARY = {b"PAR1": "parquet", b"ARROW1": "arrow"}
MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}

HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"
DAY_KEYS = ("day", "date", "dt")

Partition = Mapping[str, str | None]
TimeRange = tuple[datetime, datetime]  # naive, UTC; the end is exclusive


@dataclass(frozen=True, slots=True)
class Format:
    """How a file's bytes are to be read: its format, and the compression around it or an empty string.

    A columnar file that the engine cannot read, or not rightly, is read `by_pyarrow`.
    """

    name: str
    compression: str = ""
    by_pyarrow: bool = False
    is_text: bool = field(init=False)  # read line by line rather than by column chunks

    def __post_init__(self) -> None:
        object.__setattr__(self, "is_text", self.name in TEXT_FORMATS)


@dataclass(frozen=True, slots=True)
class Stored:
    """What a store's manifest says of a file.

    `folder` is the path of the store. `columns` are the event columns that some source of it had; the others are null
    throughout.
    """

    folder: str
    file: StoreFile
    columns: frozenset[str]


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a lake at one version, as its log says.

    `kind` is "Delta" or "Iceberg", `uuid` tells the table from any other that was at the same `folder`. `fields` are
    the ids of its columns by name, None where the log gives none: what else its files hold is no column of it. `nested`
    are the names of the fields within columns by id, `unnumbered` the ids that names stand for in files without ids.
    """

    folder: str
    kind: str
    version: str
    uuid: str
    fields: Mapping[str, int | None]
    nested: Mapping[int, str] = field(default_factory=dict)
    unnumbered: Mapping[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{visible(self.folder)}: {self.kind}, version {self.version}"

    @property
    def columns(self) -> str:
        """What tells how the columns of its files are to be read."""
        return repr((self.uuid, self.fields, self.nested, self.unnumbered))


@dataclass(frozen=True, slots=True)
class EventFile:
    """One file of events, as it was when it was found; as text it is called what messages call it.

    Rows of a `stored` file were judged when they were imported, and it has the event columns under their own names,
    whatever is mapped. Of a file of a `table`, the log says what is in `partition`. `status` is None for a file that
    could not be looked at: reading it says why.
    """

    path: str
    format: Format
    partition: Partition = field(default_factory=dict)
    name: str = ""  # what to call it in messages, where that is not its path
    stored: Stored | None = None
    table: Table | None = None
    storage: Storage = DISK
    status: Status | None = None

    def __str__(self) -> str:
        return visible(self.name or self.path)

    @property
    def size(self) -> int:
        """Its bytes as stored when it was found."""
        return self.status.size if self.status else 0


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A file of unknown extension that nobody named, an `ignored` one, or a `special` one: a pipe, socket or device."""

    path: str
    special: bool = False
    ignored: bool = False


def event_file(
    path: str, dataset: Dataset, storage: Storage, status: Status | None, *, named: bool
) -> EventFile | PassedOver:
    """A file by its name; `named` when the user named this very file, so that it cannot be passed over.

    Raises NotEvents for such a one of unknown extension.
    """
    if not named and any(fnmatchcase(PurePath(path).name, pattern) for pattern in dataset.dialect.ignore):
        return PassedOver(path, ignored=True)
    found = format_of(path, dataset)
    if found:
        is_given = dataset.input_format or _unsaid_format(dataset)
        if is_given and found.is_text and not found.compression:
            found = replace(found, compression=_compression_unsaid(path, storage))
        return EventFile(path, found, partition_of(path), storage=storage, status=status)
    if named:
        hint = f"{KNOWN}; or say --input-format"
        raise NotEvents(f"{visible(path)}: the extension says no format of events", hint=hint)
    return PassedOver(storage.canonical(path))


def format_of(name: str, dataset: Dataset | None = None) -> Format | None:
    """The format of a file by its name, without case; None for an unknown extension.

    The dataset's input format overrides it, and its dialect tells that of a name which says none.
    """
    lowered = name.lower()
    compression = next((COMPRESSIONS[end] for end in COMPRESSIONS if lowered.endswith(end)), "")
    if dataset and dataset.input_format:
        return Format(dataset.input_format, compression)
    stem = lowered[: lowered.rindex(".")] if compression else lowered
    known = next((EXTENSIONS[end] for end in EXTENSIONS if stem.endswith(end)), None)
    if known is None:
        if lowered.endswith(CODECS):
            return Format("parquet")
        said = dataset and _says_none(lowered, stem, dataset.dialect) and _unsaid_format(dataset)
        return Format(said, compression) if said else None
    if compression and known not in TEXT_FORMATS:
        return Format(known) if known == "parquet" else None
    return Format(known, compression)


def _unsaid_format(dataset: Dataset) -> str | None:
    """The format of files whose names say none; most exports without extensions are JSON."""
    return dataset.dialect.unsaid_format or ("json" if dataset.schema else None)


def _says_none(name: str, stem: str, dialect: Dialect) -> bool:
    """Whether a name, and its stem before the extension of a compression, has no extension, or one that says nothing.

    Where the name is compressed it may have any other: few write more than that.
    """
    ends = (*UNSAID, *(end.lower() for end in dialect.extensions))
    return stem != name or stem.endswith(ends) or not _EXTENSION.search(PurePath(stem).name)


def _compression_unsaid(path: str, storage: Storage) -> str:
    """The compression of a file whose format is given and whose name has no extension that is ours, by its bytes."""
    name = PurePath(path).name.lower()
    if any(name.endswith(end) for end in EXTENSIONS):
        return ""
    with suppress(OSError, Unreadable):  # reading it says why
        return compression_of(storage.read_head(path, 4))
    return ""


def compression_of(head: bytes) -> str:
    """The compression that the first bytes of a stream show, or an empty string."""
    return next((name for magic, name in MAGIC.items() if head.startswith(magic)), "")


def text_format_of(head: bytes) -> str:
    """JSON when the first byte that is not blank opens an object or an array, else CSV."""
    first = head.removeprefix(BOM).lstrip()[:1]
    return "json" if first in (b"{", b"[") else "csv"


def partition_of(path: str) -> dict[str, str | None]:
    """The keys and URL-decoded values of the `key=value` folders that a path lies in; None for Hive's null."""
    pairs = (folder.split("=", 1) for folder in PurePath(path).parts[:-1] if "=" in folder) if "=" in path else ()
    return {unquote(key): None if value == HIVE_NULL else unquote(value) for key, value in pairs if key}


def partition_range(partition: Partition) -> TimeRange | None:
    """The time that folders name, None when they name none.

    Understood are `day=`, `date=` or `dt=` with a date, and `year=` with `month=`, `day=` and `hour=` as numbers.
    """
    try:
        for key in DAY_KEYS:
            value = partition.get(key) or ""
            if len(value) == 10:
                return _hour(datetime.strptime(value, "%Y-%m-%d"), partition)  # noqa: DTZ007 - naive means UTC here
        if not partition.get("year"):
            return None
        year, month, day = (int(partition.get(key) or 0) for key in ("year", "month", "day"))
        if day and month:
            return _hour(datetime(year, month, day), partition)  # noqa: DTZ001 - naive means UTC here
        if month:
            return datetime(year, month, 1), datetime(year + month // 12, month % 12 + 1, 1)  # noqa: DTZ001
        return datetime(year, 1, 1), datetime(year + 1, 1, 1)  # noqa: DTZ001
    except (ValueError, OverflowError):
        return None


def _hour(day: datetime, partition: Partition) -> TimeRange:
    hour = partition.get("hour")
    if hour is None:
        return day, day + timedelta(days=1)
    start = day.replace(hour=int(hour))
    return start, start + timedelta(hours=1)
