"""From the rows that a question has to the answer that is shown, whichever engine found them."""

from mmstats.answer import Stats
from mmstats.engines import plan
from mmstats.engines.fill import filled
from mmstats.question.query import StatsQuery
from mmstats.readers.projection import VISITOR
from mmstats.readers.source import Source


def stats_of(query: StatsQuery, rows: plan.Rows, source: Source) -> Stats:
    """The answer that rows in no order are: filled, ordered, cut at the limit, with its notices."""
    if query.fill:
        frame = filled(query, rows.frame, source.shape.limits.filled_rows)
        rows = plan.Rows(frame, frame.height)
    shown = plan.ordered(query, rows.frame)
    return Stats(query.metric, query.labels, shown.to_dicts(), rows.groups, _notices(query, source))


def _notices(query: StatsQuery, source: Source) -> tuple[str, ...]:
    """What a reader of the answer should know of how it was found, a sentence each."""
    notices = source.notices()
    if query.metric == "uniques" and source.lacks(VISITOR):
        notices.append(
            "the data has no column 'anonymous_id', so no visitors to count: --map anonymous_id=COLUMN names it"
        )
    return tuple(notices)
