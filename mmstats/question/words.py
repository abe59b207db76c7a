"""What people write who know other tools, and what to say of it: one table for names and one for each kind of value.

A word is written here in lower case with `_`, and is read in any case and with `-`. It leads to the name or the value
that it means, or to a sentence; in one the names of parameters stand in backticks, and it is said only where all of
them exist. A word that becomes a parameter or a value itself must leave its table.
"""

from collections.abc import Mapping

Words = Mapping[str, str]


def _table(*entries: tuple[str, str]) -> dict[str, str]:
    """The meaning of each of some blank-separated words."""
    return {word: meaning for words, meaning in entries for word in words.split()}


PARAMETERS = _table(
    ("after begin date_from from_date gte since start start_date", "`from` is the start of the range, inclusive"),
    ("before date_to end end_date lt to_date until", "`to` is the end of the range, exclusive"),
    ("date date_range days month range time_range year", "`from` and `to` are the range"),
    ("relative since_last", "`last` is the range from so long ago to now"),
    ("offset_hours time_zone tz utc_offset", "`timezone` is the zone of ranges and buckets"),
    ("desc order_by sort sort_by", "`order` says by which keys rows are ordered"),
    ("head max_rows page_size per_page rows size", "`limit` is how many rows to answer, the largest first"),
    ("filter filters having segment", "`where` filters events by their columns"),
    ("breakdown by columns dimension dimensions group property split", "`group_by` names the columns to group by"),
    (
        "browser country device_type medium os path source",
        "that is a column: `group_by` breaks the answer down by it",
    ),
    ("event_name event_type name", "`event` is the name of the events to count"),
    ("bucket every granularity resolution time_grain unit", "`interval` is the length of a bucket"),
    ("agg aggregate aggregation count measure sessions uniques users visitors", "`metric` is what to count"),
    ("avg max min sum", "`metric` is what to count, as sum:COLUMN"),
    ("compare_to compared previous versus vs", "`compare` is the range to compare with: previous or year"),
    ("others rest", "`other` adds a row of all groups but those of `top`"),
    ("grand_total sums total total_row", "`totals` adds what all rows come to"),
    ("offset page skip", "there are no pages: `all` lifts the `limit`"),
    ("file files in input location", "`data` names files, as arguments do"),
    ("dry_run plan", "`explain` says what would be read"),
    ("format", "the answer is JSON: `metric` and its rows"),
    ("address bind listen", "`host` and `port` are where it listens"),
)
# The same where there is nothing but the API.
API_PARAMETERS = PARAMETERS | _table(
    (
        "offset_hours time_zone tz utc_offset",
        "ranges and buckets are in UTC; `from` and `to` also take an offset, as in 2026-05-01T00:00:00+02:00",
    ),
    ("desc order_by sort sort_by", "rows come by bucket, then the largest value first, and `limit` cuts after that"),
    ("filter filters having segment", "`event`, `from` and `to` are all that filters events"),
)
METRICS = _table(
    ("events hits pageviews total views", "count"),
    ("distinct unique unique_visitors visitors", "uniques"),
)
FIGURES = _table(("average mean", "avg"), ("maximum", "max"), ("minimum", "min"), ("total", "sum"))
COLUMNS = _table(
    ("event event_kind event_type name", "event_name"),
    ("utm_source", "source"),
    ("utm_medium", "medium"),
    ("device", "device_type"),
    ("operating_system", "os"),
    ("page page_path pathname", "path"),
    ("utm_campaign", "campaign"),
    ("referer", "referrer"),
    ("bucket date day hour month time timestamp week", "`interval` splits the range into buckets of time"),
)
INTERVALS = _table(
    ("1m minutely", "minute"),
    ("1h h hourly", "hour"),
    ("1d 24h d daily date", "day"),
    ("1w 7d w weekly", "week"),
    ("1mo monthly", "month"),
    ("1q quarterly", "quarter"),
    ("1y y annual yearly", "year"),
)
LIMITS = _table(("-1 0 all none unlimited", "`all` lifts the limit"))
