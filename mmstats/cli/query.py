"""`mmstats query`: ask the stats question of a dataset and show the answer."""

import os
from collections.abc import Callable, Mapping, Sequence

from mmstats.answer import Stats
from mmstats.cache import user_cache
from mmstats.cli.interrupts import keep_interruptible
from mmstats.cli.output import ShowOptions, show
from mmstats.cli.progress import Progress
from mmstats.cli.source import SourceOptions, completed
from mmstats.dataset import Dataset
from mmstats.memory import bounded
from mmstats.query import Extensions, StatsQuery, read_question
from mmstats.settings import settings_here
from mmstats.sizes import read_size


def query(
    given: Mapping[str, Sequence[str] | None],
    extensions: Extensions,
    source: SourceOptions,
    shown: ShowOptions,
    *,
    max_memory: str | None = None,
    cached: bool = True,
) -> None:
    """Answer the question that the options ask; everything wrong with them is said at once, before any data is read."""
    faults: dict[str, list[str]] = {}
    asked = source.read(faults)
    shown.check(faults)
    size = _size(max_memory, faults)
    texts = {name: list(values) for name, values in given.items() if values is not None}
    question = read_question(texts, extensions, faults=faults)
    settings = settings_here(os.environ)
    dataset = completed(asked, settings)

    with Progress() as progress:
        stats = _answered(question, dataset, progress.advance, size or settings.max_memory, cached=cached)
    show(stats, question, *shown.chosen(settings))


def _answered(
    question: StatsQuery, dataset: Dataset, advance: Callable[[int], None], size: int | None, *, cached: bool
) -> Stats:
    """The answer, kept from an earlier question or computed; only then is an engine loaded, and memory bounded."""
    from mmstats.engines import again, engine_for

    cache = user_cache(os.environ) if cached else None

    def compute() -> Stats:
        ask = engine_for()
        keep_interruptible()
        return ask(question, dataset, advance, cache)

    if cache is None:
        return bounded(size, compute)
    return again.answer(question, dataset, cache, lambda: bounded(size, compute))


def _size(text: str | None, faults: dict[str, list[str]]) -> int | None:
    """The bytes that `--max-memory` says; what is wrong with it is added to the faults."""
    try:
        return None if text is None else read_size(text)
    except ValueError as fault:
        faults["max_memory"] = [str(fault)]
        return None
