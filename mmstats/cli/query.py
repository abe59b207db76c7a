"""`mmstats query`: ask the stats question of a dataset and show the answer."""

import os
from collections.abc import Mapping, Sequence

from mmstats.cli.interrupts import keep_interruptible
from mmstats.cli.output import ShowOptions, show
from mmstats.cli.progress import Progress
from mmstats.cli.source import SourceOptions, completed
from mmstats.query import Extensions, read_question
from mmstats.settings import settings_here


def query(
    given: Mapping[str, Sequence[str] | None], extensions: Extensions, source: SourceOptions, shown: ShowOptions
) -> None:
    """Answer the question that the options ask; everything wrong with them is said at once, before any data is read."""
    faults: dict[str, list[str]] = {}
    asked = source.read(faults)
    shown.check(faults)
    texts = {name: list(values) for name, values in given.items() if values is not None}
    question = read_question(texts, extensions, faults=faults)
    settings = settings_here(os.environ)
    dataset = completed(asked, settings)

    from mmstats.engines import engine_for  # after validation: a wrong question loads no engine

    answer = engine_for()
    keep_interruptible()
    with Progress() as progress:
        stats = answer(question, dataset, progress.advance)
    show(stats, question, *shown.chosen(settings))
