"""`mmstats query`: ask the stats question of a dataset and show the answer, or explain how it would be computed."""

import os
from functools import partial
from typing import TYPE_CHECKING

from mmstats.answer import Stats
from mmstats.cache import Cache, user_cache
from mmstats.cli.options import QUERY
from mmstats.cli.output import choose_sink, tells_format
from mmstats.cli.progress import Progress
from mmstats.cli.terminal import note, say, show, show_report
from mmstats.dataset import SAMPLE_ALONE, Dataset
from mmstats.engine_address import LOCAL, EngineAddress
from mmstats.interrupts import raised
from mmstats.memory import bounded
from mmstats.options import Texts, excludes, read_texts
from mmstats.question.query import StatsQuery
from mmstats.question.read import read_question
from mmstats.recall import Recallable
from mmstats.render import DESCRIPTION_FORMATS, FILE_FORMATS
from mmstats.reports import Explanation, Profile
from mmstats.settings import choose_dataset, settings_here

if TYPE_CHECKING:
    from rich.console import Console


_EXPLAIN_ALONE = excludes("stats", "explain", "cannot be given with --explain, which answers nothing")


def query(question_texts: Texts, texts: Texts) -> Recallable | None:
    """Answer the question; everything that is wrong with its options is raised at once, before any data is read.

    Returns what decided the output, where that is files and folders here that say when they change.
    """
    values, faults = read_texts(QUERY, texts, [SAMPLE_ALONE, _EXPLAIN_ALONE, tells_format(FILE_FORMATS)])
    if values["explain"] and not set(texts.get("format", ())) <= set(DESCRIPTION_FORMATS):
        faults["format"] = [f"must be one of {', '.join(DESCRIPTION_FORMATS)} with --explain"]
    settings = settings_here(os.environ)
    defaults = {"timezone": settings.timezone, "week_start": settings.week_start}
    question = read_question(question_texts, faults=faults, defaults=defaults)
    dataset = choose_dataset(values, settings)
    if not (values["sample"] or values["data"]) and dataset.is_sample:
        note("this is the bundled sample; --data names yours")
    sink = choose_sink(values, dataset.locations)
    cache = None if values["no_cache"] else user_cache(os.environ)
    max_memory = values["max_memory"] or settings.max_memory
    engine = values["engine"] or settings.engine
    if values["explain"]:
        explanation = _explain(question, dataset, engine, cache, max_memory)
        print_page = partial(_print_explanation, explanation, values["explain"])
        show_report(explanation.to_json(), print_page, values, settings, sink)
        return None

    def compute() -> Stats:
        from mmstats.engines import engine_for

        with profile.phase("load engine"):
            answer = engine_for(engine)
        with raised():
            return bounded(max_memory, partial(answer, question, dataset.within(max_memory), profile, cache))

    with Progress() as progress:
        expect = partial(progress.expect, "reading") if progress.is_shown else None
        profile = Profile(progress.advance, expect, with_files=values["stats"])
        if cache:
            from mmstats.engines.answer_cache import Answers

            stats, seen = Answers(cache, engine).answer(question, dataset, compute, profile)
        else:
            stats, seen = compute(), None
    with profile.phase("show"):
        show(stats, question, dataset, values, settings, sink)
    if values["stats"]:
        from mmstats.render.pages import profile_sentences

        for sentence in profile_sentences(profile, cached=cache is not None):
            say("stats", sentence)
    if cache is None or seen is None or engine != LOCAL or values["stats"] or values["output"] is not None:
        return None
    if question.is_of_now:  # the same words will ask something else
        return None
    return Recallable({**settings.seen, **seen}, dataset.limits.settle_ns, str(cache.folder), cache.most_bytes)


def _explain(
    question: StatsQuery, dataset: Dataset, engine: EngineAddress, cache: Cache | None, max_memory: int | None
) -> Explanation:
    from mmstats.engines import explainer_for
    from mmstats.engines.answer_cache import Answers

    explain = explainer_for(engine)
    with raised():
        explanation = bounded(max_memory, partial(explain, question, dataset, cache))
    is_cached = cache is not None and Answers(cache, engine).has(question, dataset)
    return explanation.from_cache() if is_cached else explanation


def _print_explanation(explanation: Explanation, extent: str, console: "Console") -> None:
    from mmstats.render.pages import print_explanation

    print_explanation(explanation, console, with_plan=extent == "full")
