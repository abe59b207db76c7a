"""The sizes, counts and times at which readers, engines and stores change how they work."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Thresholds that decide how work is done; but for `csv_block_bytes` and `filled_rows` they change no answer.

    Of a file with several faults, they may change which is named.

    Fields that end in `_bytes`, `_rows`, `_ns` and `_seconds` have that unit; the others are plain counts.
    """

    # Text files
    text_block_bytes: int = 4 << 20  # lines of a text file that are read and parsed at once
    csv_block_bytes: int = 8 << 20  # a block of a CSV file; no record may be longer
    csv_header_bytes: int = 1 << 16  # the first read for the header of a CSV file, doubled until it is whole
    array_elements: int = 20_000  # elements of a JSON array that are parsed at once
    single_line_bytes: int = 64 << 10  # lines that cannot be parsed together: up to this size decoded one by one
    small_text_bytes: int = 1 << 18  # files of up to this size are parsed together
    text_batch_bytes: int = 1 << 20  # such files that are parsed together, in all
    text_batch_files: int = 512  # likewise

    # A file on disk that was changed more recently is not cached: it may change again and look the same.
    settle_ns: int = 2_000_000_000

    # Parquet files of fewer bytes in all are scanned: loading the reader of footers costs more.
    statistics_bytes: int = 1 << 20  # to count events by row group statistics
    footer_bytes: int = 1 << 20  # to tell from footers when the events of a file are
    footer_files: int = 256  # footers that are read together, before what they tell may be saved

    # Partial aggregates in the cache
    partial_share: int = 4  # one is cached that takes at most the size of its file divided by this
    small_partial_bytes: int = 1 << 16  # one of at most this size is cached whatever the size of its file
    probe_bytes: int = 1 << 25  # of files of more bytes in all the smallest is read first, to see if caching pays
    partials_bytes: int = 48 << 20  # those of one answer together, as estimated from the smallest file
    save_seconds: float = 0.5  # what was read is saved so often, for a question that is stopped and asked again
    batch_files: int = 64  # files that are read before that is looked at, doubled as long as they take less time
    batch_bytes: int = 1 << 26  # likewise

    # How far columnar files are read is told of so many bytes in all, and so many a file on the average: of fewer the
    # answer is there before anybody looks, or counting the rows of each takes too long.
    followed_bytes: int = 32 << 20
    followed_file_bytes: int = 1 << 20

    # What may be wrong where no event answers: what is read for it. No answer depends on it.
    no_events_bytes: int = 256 << 20  # of event names, and of timestamps
    no_events_files: int = 2_000  # whose ranges are not known: footers, most of the time

    # Grouping
    filled_rows: int = 1_000_000  # rows of an answer whose empty buckets are filled
    batch_rows: int = 1 << 20  # events that are packed and sorted at once
    merge_rows: int = 1 << 20  # rows of sorted runs that are merged at once
    merge_samples: int = 64  # keys of each run, for every `merge_rows`, by which pieces to merge are cut
    run_rows: int = 1 << 25  # rows of sorted runs that are held before they are merged to save memory
    table_bytes: int = 400_000_000  # a table of visitors' registers that would take more is none: they are sorted

    # Stores
    day_files: int = 8  # files of a day; more are merged
    small_day_files: int = 3  # small files of a day; more are merged
    small_file_bytes: int = 1 << 20  # a file of fewer bytes is small
    merged_rows: int = 1 << 19  # rows of files of a day that are merged at once, about
    held_bytes: int = 160 << 20  # an import writes events when it holds as many bytes of them
    lock_seconds: float = 600.0  # an import waits as long for another one into the same folder
    abandoned_seconds: float = 86_400.0  # an uploaded file that is in no manifest is removed once it is older
