"""`mmstats query`: ask the stats question of a dataset and show the answer, or how it would be come by."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from mmstats.answer import Stats
from mmstats.cache import Cache, user_cache
from mmstats.cli import terminal
from mmstats.cli.datasets import SourceOptions, completed
from mmstats.cli.terminal import Progress, ShowOptions, drawn, keep_interruptible, show
from mmstats.dataset import Dataset
from mmstats.engine_address import EngineAddress, read_engine
from mmstats.memory import bounded
from mmstats.question.query import Extensions, StatsQuery
from mmstats.question.read import read_question
from mmstats.render import DESCRIPTION_FORMATS
from mmstats.reports import Account, Explanation
from mmstats.settings import settings_here
from mmstats.wording import read_size

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class WorkOptions:
    """The options that say how a question is answered, as given: bounded, by whom, from what is kept, told of."""

    max_memory: str | None = None
    engine: str | None = None
    no_cache: bool = False
    explain: bool = False
    stats: bool = False

    def check(self, shown: ShowOptions, faults: dict[str, list[str]]) -> None:
        """Add what is wrong with them to the faults."""
        if self.explain and self.stats:
            faults["stats"] = ["cannot be given with --explain, which answers nothing"]
        if self.explain and shown.format not in {None, *DESCRIPTION_FORMATS}:
            faults["format"] = [f"must be one of {', '.join(DESCRIPTION_FORMATS)} with --explain"]


def query(
    given: Mapping[str, Sequence[str] | None],
    extensions: Extensions,
    source: SourceOptions,
    shown: ShowOptions,
    work: WorkOptions,
) -> None:
    """Answer the question that the options ask; everything wrong with them is said at once, before any data is read."""
    faults: dict[str, list[str]] = {}
    asked = source.read(faults)
    shown.check(faults)
    work.check(shown, faults)
    size = _read("max_memory", work.max_memory, read_size, faults)
    address = _read("engine", work.engine, read_engine, faults)
    texts = {name: list(values) for name, values in given.items() if values is not None}
    question = read_question(texts, extensions, faults=faults)
    settings = settings_here(os.environ)
    dataset = completed(asked, settings)
    cache = None if work.no_cache else user_cache(os.environ)
    size, engine = size or settings.max_memory, address or settings.engine
    form, color = shown.chosen(settings)

    if work.explain:
        explanation = bounded(size, lambda: _explained(question, dataset, engine, cache))
        _show_explanation(explanation, form, color)
        return
    with Progress() as progress:
        account = Account(progress.advance, itemized=work.stats)
        stats = _answered(question, dataset, engine, account, size, cache)
    with account.phase("show"):
        show(stats, question, form, color)
    if work.stats:
        from mmstats.render.pages import account_sentences

        for sentence in account_sentences(account, cached=cache is not None):
            terminal.say("stats", sentence)


def _answered(
    question: StatsQuery,
    dataset: Dataset,
    engine: EngineAddress,
    account: Account,
    size: int | None,
    cache: Cache | None,
) -> Stats:
    """The answer, kept from an earlier question or computed; only then is an engine loaded, and memory bounded."""
    from mmstats.engines import engine_for
    from mmstats.engines.answer_cache import Answers

    def compute() -> Stats:
        with account.phase("load engine"):
            ask = engine_for(engine)
        keep_interruptible()
        return ask(question, dataset, account, cache)

    if cache is None:
        return bounded(size, compute)
    return Answers(cache, engine).answer(question, dataset, lambda: bounded(size, compute), account)


def _explained(question: StatsQuery, dataset: Dataset, engine: EngineAddress, cache: Cache | None) -> Explanation:
    from mmstats.engines import explainer_for
    from mmstats.engines.answer_cache import Answers

    explain = explainer_for(engine)
    keep_interruptible()
    explanation = explain(question, dataset, cache)
    is_kept = cache is not None and Answers(cache, engine).has(question, dataset)
    return explanation.from_kept() if is_kept else explanation


def _show_explanation(explanation: Explanation, form: str, color: str) -> None:
    if form == "json":
        terminal.write_text(explanation.to_json() + "\n")
    else:
        from mmstats.render.pages import print_explanation

        terminal.write_page(drawn(lambda console: print_explanation(explanation, console), color))


def _read(name: str, text: str | None, read: Callable[[str], T], faults: dict[str, list[str]]) -> T | None:
    """What an option says; what is wrong with it is added to the faults."""
    try:
        return None if text is None else read(text)
    except ValueError as fault:
        faults[name] = [str(fault)]
        return None
