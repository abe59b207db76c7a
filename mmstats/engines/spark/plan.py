"""What a question does to events on a cluster: bucket, group, aggregate, order, limit; pure."""

from pyspark.sql.column import Column
from pyspark.sql.connect import functions as F
from pyspark.sql.dataframe import DataFrame

from mmstats.engines import sketch
from mmstats.engines.spark.expressions import DAY, HOUR, floor_to
from mmstats.question.query import VALUE, StatsQuery
from mmstats.readers.projection import VISITOR

_THURSDAY = 3 * DAY  # the epoch's day, after its Monday
_EVENTS = F.count(F.lit(1))
_REGISTER, _HASH, _LOW, _HIGH = "register'", "hash'", "low'", "high'"


def aggregated(query: StatsQuery, events: DataFrame) -> DataFrame:
    """All rows of the answer, in no order: the labels, buckets in microseconds, and `value`."""
    keys = [F.col(name) for name in query.labels]
    if query.metric == "count":
        return _labelled(query, events).groupBy(*keys).agg(_EVENTS.alias(VALUE))
    labelled = _labelled(query, events, F.col(VISITOR))
    if query.exact:
        distinct = labelled.groupBy(*keys, F.col(VISITOR)).agg(_EVENTS)
        return distinct.groupBy(*keys).agg(F.count(F.col(VISITOR)).alias(VALUE))
    return _registers(labelled, keys).groupBy(*keys).agg(_estimate().alias(VALUE))


def totals(query: StatsQuery, events: DataFrame) -> DataFrame:
    """One row: how many rows the answer has, and how many events; it takes less than to compute them."""
    groups = _labelled(query, events).groupBy(*(F.col(name) for name in query.labels)).agg(_EVENTS.alias(VALUE))
    return groups.agg(_EVENTS, F.sum(VALUE))


def limited(query: StatsQuery, rows: DataFrame, limit: int) -> DataFrame:
    """The rows in the contract's order up to the limit, and one more that tells whether there are more."""
    labels = [F.col(name).asc_nulls_last() for name in query.group_by]
    buckets = [F.col("bucket").asc()] if query.interval else []
    return rows.orderBy(*buckets, F.col(VALUE).desc(), *labels).limit(limit + 1)


def _labelled(query: StatsQuery, events: DataFrame, *others: Column) -> DataFrame:
    return events.select(*(_bucket(query) if name == "bucket" else F.col(name) for name in query.labels), *others)


def _bucket(query: StatsQuery) -> Column:
    """The start of the bucket that an event is in; weeks start on Monday."""
    at, thursday = F.col("timestamp"), F.lit(_THURSDAY).cast("bigint")
    week = floor_to(at + thursday, 7 * DAY) - thursday
    starts = {"hour": floor_to(at, HOUR), "day": floor_to(at, DAY), "week": week}
    return starts[query.interval or "day"].alias("bucket")


def _registers(events: DataFrame, keys: list[Column]) -> DataFrame:
    """The ends of each register that a group touches, as in `sketch`; a null id touches the null register."""
    h = F.when(F.col(VISITOR).isNotNull(), F.xxhash64(F.col(VISITOR)))  # the hash of null would be the seed
    register = h.bitwiseAND(F.lit(sketch.REGISTERS - 1).cast("bigint")).alias(_REGISTER)
    upper = F.shiftrightunsigned(h, 32).alias(_HASH)
    ends = F.min(_HASH).alias(_LOW), F.max(_HASH).alias(_HIGH)
    return events.select(*keys, register, upper).groupBy(*keys, F.col(_REGISTER)).agg(*ends)


def _estimate() -> Column:
    """The estimate of `sketch`, in whole numbers, rounded half up."""
    span = F.col(_HIGH) - F.col(_LOW)
    values = F.count(F.col(_LOW)) + F.sum(F.when(span > 0, 1).otherwise(0))
    whole = F.lit(sketch.REGISTERS << 32).cast("bigint")
    free = whole - F.coalesce(F.sum(span), F.lit(0))
    doubled = F.coalesce(values, F.lit(0)) * F.lit(2) * whole + free
    return F.call_function("div", doubled, free * F.lit(2))
