"""What answering a question took, in a few sentences."""

from collections.abc import Iterator

from mmstats.render.layout import plural, size
from mmstats.reports import Account, Use, count_files, read_bytes, read_rows


def sentences(account: Account, *, cached: bool) -> Iterator[str]:
    """What was read here, what of it was kept, and the time of each phase; `cached`: whether there is a cache."""
    if account.answer_kept:
        yield "read nothing: the answer was kept"
    elif account.files:
        files, rows = account.files, read_rows(account.files)
        told = "" if rows is None else f", {plural(rows, 'row')}"
        stored = sum(one.size for one in files)
        yield (
            f"read {count_files(files, Use.READ):,} of {plural(len(files), 'file')}, "
            f"{size(read_bytes(files))} of {size(stored)}{told}; "
            f"{plural(count_files(files, Use.OUTSIDE), 'file')} outside range or event"
        )
        used = plural(count_files(files, Use.KEPT), "file")
        yield (
            f"cache: took what was kept of {used}, keeps that of {account.kept:,} more" if cached else "cache: not used"
        )
    seconds = account.seconds
    phases = ", ".join(f"{name} {time:.3f} s" for name, time in seconds.items())
    yield f"time: {phases}; {sum(seconds.values()):.3f} s in all"
