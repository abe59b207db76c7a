"""Which format a file is in: by its extension, by the user's word, or for stdin by its first bytes."""

from dataclasses import dataclass

TEXT_FORMATS = frozenset({"ndjson", "json", "csv", "tsv"})

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
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
BOM = b"\xef\xbb\xbf"
BINARY = {b"PAR1": "parquet", b"ARROW1": "arrow"}
MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}


@dataclass(frozen=True, slots=True)
class Format:
    """How a file's bytes are to be read: its format, and the compression around it or an empty string."""

    name: str
    compression: str = ""

    @property
    def is_text(self) -> bool:
        """Whether it is read line by line rather than by column chunks."""
        return self.name in TEXT_FORMATS


def format_of(name: str) -> Format | None:
    """The format that a file's name says, without case, or None when its extension is unknown."""
    lowered = name.lower()
    compression = next((COMPRESSIONS[end] for end in COMPRESSIONS if lowered.endswith(end)), "")
    stem = lowered[: lowered.rindex(".")] if compression else lowered
    known = next((EXTENSIONS[end] for end in EXTENSIONS if stem.endswith(end)), None)
    if known is None or (compression and known not in TEXT_FORMATS):
        return None
    return Format(known, compression)


def compression_of(head: bytes) -> str:
    """The compression that the first bytes of a stream show, or an empty string."""
    return next((name for magic, name in MAGIC.items() if head.startswith(magic)), "")


def text_format_of(head: bytes) -> str:
    """JSON when the first byte that is not blank opens an object or an array, else CSV."""
    first = head.removeprefix(BOM).lstrip()[:1]
    return "json" if first in (b"{", b"[") else "csv"
