"""Pages for a terminal: a dataset described, a question explained, the stored keys, and what a question took."""

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.text import Text

from mmstats.api_keys import StoredKey
from mmstats.question.ranges import range_text
from mmstats.render.layout import Column, Layout, figures
from mmstats.render.leads import lead_sections
from mmstats.render.records import label_text
from mmstats.render.text import instant, percentage, size
from mmstats.reports import (
    TOP,
    Check,
    Description,
    Explanation,
    FileUse,
    Profile,
    Use,
    count_files,
    read_bytes,
    read_rows,
)
from mmstats.wording import plural, visible

_NAMED_FILES = 20  # in a table of files


def print_description(description: Description, names: Sequence[str], console: Console) -> None:
    """Print `description` under the `names` of its dataset, as wide as `console` allows."""
    layout = Layout(console)
    sections = [
        _heading(description, names, layout),
        _formats(description, layout),
        _event_columns(description, layout),
        _events(description, layout),
        _bad_rows(description, layout),
    ]
    if description.check:
        sections.append(_check(description.check, layout))
    if description.lead:
        sections += map(iter, lead_sections(description.lead, description.locations, layout))
    layout.print_sections(sections)


def _heading(about: Description, names: Sequence[str], layout: Layout) -> Iterator[Text]:
    for name in names:
        yield from layout.lines(visible(name), "bold")
    parts = [plural(about.files, "file"), size(about.bytes)]
    parts += [] if about.rows is None else [plural(about.rows, "row")]
    yield from layout.lines(f" {layout.alphabet.dot} ".join(parts))
    if about.first and about.last:
        yield from layout.lines(f"{instant(about.first)} to {instant(about.last)} UTC")
    for table in about.tables:
        where = f"{visible(table.location)}: " if (table.location,) != tuple(names) else ""
        yield from layout.lines(f"{where}{table.kind} table, version {visible(table.version)}")
    if about.passed_over:
        yield from layout.lines(f"passed over {plural(about.passed_over, 'file')} of other kinds", "dim")


def _formats(about: Description, layout: Layout) -> Iterator[Text]:
    uses = about.formats
    names = [f"{use.format} ({use.compression})" if use.compression else use.format for use in uses]
    files, sizes = [f"{use.files:,}" for use in uses], [size(use.bytes) for use in uses]
    return layout.table(Column("format", names), figures("files", files), figures("size", sizes))


def _event_columns(about: Description, layout: Layout) -> Iterator[Text]:
    uses = about.columns
    nulls = [percentage(use.nulls, about.rows) if about.rows else "" for use in uses]
    columns = [Column("column", [use.column for use in uses]), figures("null", nulls)]
    if any(use.sources != (use.column,) for use in uses):
        columns.append(Column("from", [", ".join(map(visible, use.sources)) for use in uses]))
    if uses:
        yield from layout.table(*columns)
    if about.missing:
        yield from layout.lines(f"not in the data: {', '.join(about.missing)}", "dim")


def _events(about: Description, layout: Layout) -> Iterator[Text]:
    top = about.events[:TOP]
    if not top or about.rows is None:
        return
    yield from layout.table(
        Column("event", [label_text(name) for name, _ in top]),
        figures("count", [f"{count:,}" for _, count in top]),
        figures("share", [percentage(count, about.rows) for _, count in top]),
    )
    if about.distinct > len(top):
        yield from layout.lines(f"{about.distinct:,} different names in all", "dim")


def _bad_rows(about: Description, layout: Layout) -> Iterator[Text]:
    bad = sorted(about.bad_rows.items(), key=lambda item: -item[1])
    named, rest = bad[:_NAMED_FILES], bad[_NAMED_FILES:]
    if named:
        files = Column("left out as unreadable", [visible(file) for file, _ in named])
        yield from layout.table(files, figures("rows", [f"{rows:,}" for _, rows in named]))
    if rest:
        rows = plural(sum(rows for _, rows in rest), "row")
        yield from layout.lines(f"and {rows} of {len(rest):,} more files", "dim")


def _check(check: Check, layout: Layout) -> Iterator[Text]:
    if check.holds:
        yield from layout.lines("check: every file and every row can be read")
        return
    yield from layout.lines(f"check: {plural(check.total, 'fault')}", "bold")
    for fault in check.faults:
        # Not a table: what is wrong is a sentence, and must not be cut.
        parts = (visible(fault.file), fault.where, visible(fault.what))
        yield from layout.lines(": ".join(part for part in parts if part), indent=2)
    if check.total > len(check.faults):
        yield from layout.lines(f"and {check.total - len(check.faults):,} more", "dim")


def print_explanation(explanation: Explanation, console: Console, *, with_plan: bool = False) -> None:
    """Print what a question would read and why, as wide as `console` allows; if wanted also the engine's plan."""
    layout = Layout(console)
    # Not wrapped: a step's indent tells what it belongs to.
    plan = [Text(layout.alphabet.escape(visible(step)), "dim") for step in explanation.plan]
    sections = [_cost(explanation, layout), _uses(explanation, layout), _files_to_read(explanation, layout)]
    if with_plan:
        sections.append(iter([Text("the plan of the engine"), *plan] if plan else []))
    elif plan:
        sections.append(layout.lines("--explain=full adds the plan of the engine", "dim"))
    layout.print_sections(sections)


def _cost(about: Explanation, layout: Layout) -> Iterator[Text]:
    if about.answer_cached:
        yield from layout.lines("the answer is cached: no file is read", "bold")
        return
    files, stored = plural(len(about.files), "file"), size(sum(one.size for one in about.files))
    most, rows = read_bytes(about.files), read_rows(about.files)
    if rows == most == 0:
        yield from layout.lines(f"reads no events of {files}, {stored}", "bold")
        return
    told = "" if rows is None else f", {plural(rows, 'row')}"
    number = f"{count_files(about.files, Use.READ):,}"
    yield from layout.lines(f"reads {number} of {files}, at most {size(most)} of {stored}{told}", "bold")
    yield from layout.lines(f"columns: {', '.join(about.columns)}")
    if about.start or about.end:
        yield from layout.lines(f"range: {range_text(about.start, about.end, about.timezone)}")


def _uses(about: Explanation, layout: Layout) -> Iterator[Text]:
    """How many files are used in each way, and why; those that are read come first."""
    if about.answer_cached:
        return iter(())
    files_of: dict[str, list[FileUse]] = {}
    for one in sorted(about.files, key=lambda one: (list(Use).index(one.use), one.why)):
        files_of.setdefault(f"{one.use}: {one.why}" if one.why else one.use, []).append(one)
    return layout.table(
        Column("files", list(files_of)),
        figures("number", [f"{len(files):,}" for files in files_of.values()]),
        figures("size", [size(sum(one.size for one in files)) for files in files_of.values()]),
        figures("to read", [size(read_bytes(files)) for files in files_of.values()]),
    )


def _files_to_read(about: Explanation, layout: Layout) -> Iterator[Text]:
    """The files of which more than the footer is read, the largest readings first."""
    files = sorted((one for one in about.files if one.use is Use.READ and not one.why), key=lambda one: -one.bytes)
    named, rest = files[:_NAMED_FILES], files[_NAMED_FILES:]
    if named:
        yield from layout.table(
            Column("to read", [one.file for one in named]),
            figures("bytes", [size(one.bytes) for one in named]),
            figures("rows", ["unknown" if one.rows is None else f"{one.rows:,}" for one in named]),
        )
    if rest:
        yield from layout.lines(f"and {plural(len(rest), 'more file')}", "dim")


def print_keys(keys: Sequence[StoredKey], console: Console) -> None:
    """Print a line for every key, as wide as `console` allows; a name that is too long loses its middle."""
    layout = Layout(console)
    table = layout.table(
        Column("prefix", [key.prefix for key in keys], rigid=True),
        Column("created (UTC)", [instant(key.created) for key in keys], rigid=True),
        Column("name", [visible(key.name or "") for key in keys]),
    )
    layout.print_sections([table if keys else [Text("no keys; mmstats keys create makes one")]])


def print_settings(rows: Sequence[tuple[str, str, str]], console: Console) -> None:
    """Print a line for every setting: its name, its value and where it is set."""
    layout = Layout(console)
    names, values, origins = zip(*rows, strict=True)
    table = layout.table(
        Column("setting", list(names), rigid=True),
        Column("value", [visible(value) for value in values]),
        Column("from", [visible(origin) for origin in origins]),
    )
    layout.print_sections([table])


def profile_sentences(profile: Profile, *, cached: bool) -> Iterator[str]:
    """What was read to answer a question, what was stored of it, and the time of each phase.

    `cached` says whether there is a cache.
    """
    if profile.answer_cached:
        yield "read nothing: the answer was cached"
    elif profile.files:
        files, rows = profile.files, read_rows(profile.files)
        told = "" if rows is None else f", {plural(rows, 'row')}"
        stored = sum(one.size for one in files)
        yield (
            f"read {count_files(files, Use.READ):,} of {plural(len(files), 'file')}, "
            f"{size(read_bytes(files))} of {size(stored)}{told}; "
            f"{plural(count_files(files, Use.PRUNED), 'file')} pruned"
        )
        used = plural(count_files(files, Use.CACHED), "file")
        yield (f"cache: {used} reused, {profile.files_stored:,} stored" if cached else "cache: not used")
    phases = ", ".join(f"{name} {time:.3f} s" for name, time in profile.seconds.items())
    yield f"time: {phases}; {sum(profile.seconds.values()):.3f} s in all"
