"""What a reader of an answer should know of how it was found, whichever engine found it."""

from mmstats.events.source import Source
from mmstats.events.visitor import VISITOR
from mmstats.query import StatsQuery


def notices_of(query: StatsQuery, source: Source) -> tuple[str, ...]:
    """The notices of an answer, a sentence each."""
    notices = source.notices()
    if query.metric == "uniques" and source.lacks(VISITOR):
        notices.append(
            "the data has no column 'anonymous_id', so no visitors to count: --map anonymous_id=COLUMN names it"
        )
    return tuple(notices)
