"""The soak of `benchmarks/soak.py` in short, and that its judge takes no wrong answer for a right one."""

import time
from collections.abc import Iterable
from pathlib import Path
from random import Random

import pytest

from benchmarks.soak import soak
from benchmarks.soak_oracle import STALE_SECONDS, Answer, Batch, Slot, draw_question, judge
from mmstats.question.query import StatsQuery
from tests import oracle

QUESTIONS = 160


def test_answers_are_right_while_the_data_changes(tmp_path: Path) -> None:
    """While files and a store change, every answer of a server is that of a state that the data was in."""
    left = iter(range(QUESTIONS))
    outcomes = soak(tmp_path, 1, lambda: next(left, None) is not None, pauses=(0.0, 0.1, 0.3))
    for name, outcome in outcomes.items():
        assert not outcome.failed, [name, *outcome.lines()]
        assert outcome.changes.total() > 1
    assert sum(outcome.statuses.total() for outcome in outcomes.values()) == QUESTIONS


def answer(question: StatsQuery, batches: Iterable[Batch]) -> Answer:
    """The body of the answer over some batches, and whether the limit cut rows off, by the tests' own oracle."""
    events = [event for batch in batches for event in batch.events]
    limit = question.limit or len(events) + 1
    return oracle.answer(question, events), len(oracle.values(question, events)) > limit


@pytest.mark.parametrize("seed", range(20))
def test_the_judge_tells_states_apart(seed: int) -> None:
    """An answer of a state is right at its time and wrong at any other; one of parts of two states is wrong."""
    rng = Random(seed)
    question = draw_question(rng)
    slots, contents = [Slot(), Slot()], [[(Batch(rng, 5 * step + 20),) for step in range(3)] for _ in range(2)]
    for step in range(3):
        for slot, content in zip(slots, contents, strict=True):
            with slot.changing(content[step]):
                pass
    now = time.monotonic()
    old, new = (answer(question, [content[step][0] for content in contents]) for step in (0, 2))
    assert judge(slots, question, new, now, now) == "right"
    assert judge(slots, question, old, now, now) == "right"
    later = now + STALE_SECONDS + 1
    assert judge(slots, question, new, later, later) == "right"
    assert (judge(slots, question, old, later, later) == "right") == (old == new)
    assert judge(slots, question, (new[0] + " ", new[1]), now, now) == "wrong"
    assert judge(slots, question, (new[0], not new[1]), now, now) == "wrong"
    store = Slot()  # one state at a time: what each of two sources had, but not at once, is none of its states
    both = [content[0][0] for content in contents], [content[1][0] for content in contents]
    for state in both:
        with store.changing(tuple(state)):
            pass
    mixed = answer(question, [both[0][0], both[1][1]])
    states = [answer(question, state) for state in (*both, [])]
    assert judge([store], question, mixed, now, time.monotonic()) == ("right" if mixed in states else "wrong")
