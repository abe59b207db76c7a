"""What a question does to events on a cluster: bucket, group, aggregate, order, limit; pure."""

from pyspark.sql.column import Column
from pyspark.sql.connect import functions as F
from pyspark.sql.dataframe import DataFrame

from mmstats.engines import sketch
from mmstats.engines.plan import VALUE
from mmstats.engines.spark.instants import DAY, HOUR, floored
from mmstats.events.visitor import VISITOR
from mmstats.query import StatsQuery

_THURSDAY = 3 * DAY  # the epoch's day, behind its Monday
_REGISTER, _SHOWN, _LOW, _HIGH = "register'", "shown'", "low'", "high'"


def answered(query: StatsQuery, events: DataFrame) -> DataFrame:
    """All rows of the answer, in no order: the labels, buckets in microseconds, and `value`."""
    keys = [F.col(name) for name in query.labels]
    labelled = _bucketed(query, events)
    if query.metric == "count":
        return labelled.groupBy(*keys).agg(F.count(F.lit(1)).alias(VALUE))
    if query.exact:
        once = labelled.select(*keys, F.col(VISITOR)).distinct()
        return once.groupBy(*keys).agg(F.count(F.col(VISITOR)).alias(VALUE))
    return _registers(labelled, keys).groupBy(*keys).agg(_estimate().alias(VALUE))


def _bucketed(query: StatsQuery, events: DataFrame) -> DataFrame:
    if query.interval is None:
        return events
    at = F.col("timestamp")
    monday = floored(at + F.lit(_THURSDAY).cast("bigint"), 7 * DAY) - F.lit(_THURSDAY).cast("bigint")
    return events.withColumn(
        "bucket", {"hour": floored(at, HOUR), "day": floored(at, DAY), "week": monday}[query.interval]
    )


def _registers(events: DataFrame, keys: list[Column]) -> DataFrame:
    """The registers that each group touches, as `sketch` tells; a null id touches the null register."""
    # The hash of null is the seed, as if it were somebody's.
    h = F.when(F.col(VISITOR).isNotNull(), F.xxhash64(F.col(VISITOR)))
    register = h.bitwiseAND(F.lit(sketch.REGISTERS - 1).cast("bigint")).alias(_REGISTER)
    shown = F.shiftrightunsigned(h, 32).alias(_SHOWN)
    ends = F.min(_SHOWN).alias(_LOW), F.max(_SHOWN).alias(_HIGH)
    return events.select(*keys, register, shown).groupBy(*keys, F.col(_REGISTER)).agg(*ends)


def _estimate() -> Column:
    span = F.col(_HIGH) - F.col(_LOW)
    shown = F.count(F.col(_LOW)) + F.sum(F.when(span > 0, 1).otherwise(0))
    whole = F.lit(sketch.REGISTERS << 32).cast("bigint")
    free = whole - F.coalesce(F.sum(span), F.lit(0))
    doubled = F.coalesce(shown, F.lit(0)) * F.lit(2) * whole + free
    return F.call_function("div", doubled, free * F.lit(2))


def cut(query: StatsQuery, rows: DataFrame) -> DataFrame:
    """The rows in the contract's order as far as the limit, and one more that tells whether there are more."""
    if query.limit is None or query.fill:
        return rows
    labels = [F.col(name).asc_nulls_last() for name in query.group_by]
    buckets = [F.col("bucket").asc()] if query.interval else []
    return rows.orderBy(*buckets, F.col(VALUE).desc(), *labels).limit(query.limit + 1)
