"""Partial aggregates of any metrics, by keys that may be finer than the rows of an answer: they merge.

Counts and sums add up, minima and maxima are those of the parts, and distinct ids are registers of the sketch, or with
`exact` the ids themselves. Numbers are exact decimals in billionths, as 128-bit integers: a sum overflows no sooner
than at 10^11 values of 18 digits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock

import polars as pl

from mmstats.engines import sketch
from mmstats.engines.local.streaming import each_batch
from mmstats.limits import Limits
from mmstats.question.metrics import COUNT, DISTINCT, Metric
from mmstats.question.query import StatsQuery
from mmstats.readers.predicates import number
from mmstats.readers.projection import digits_of, hashed

EVENTS = "number of events"
_ID = "id"
_BILLIONTHS = pl.Int128()


@dataclass(frozen=True, slots=True)
class Partials:
    """Partial aggregates by keys.

    `figures` has a row for every group: its number of events, and of each column of numbers the sum, how many numbers
    and how many values that are none, the least and the greatest. `ids` has by metric the registers that the ids of
    each group touch, or the ids; there are none of a group whose ids are all null.
    """

    figures: pl.DataFrame
    ids: Mapping[str, pl.DataFrame]

    @property
    def height(self) -> int:
        """How many rows they are in all."""
        return self.figures.height + sum(frame.height for frame in self.ids.values())

    def filtered(self, predicate: pl.Expr) -> "Partials":
        """Those of the groups for whose keys a predicate holds."""
        ids = {name: frame.filter(predicate) for name, frame in self.ids.items()}
        return Partials(self.figures.filter(predicate), ids)

    def joined(self, marks: pl.DataFrame, on: Sequence[str]) -> "Partials":
        """The same with the other columns of `marks` as more keys, null where these lack a group."""
        ids = {name: _joined(frame, marks, on) for name, frame in self.ids.items()}
        return Partials(_joined(self.figures, marks, on), ids)

    def with_keys(self, *keys: pl.Expr) -> "Partials":
        """The same with other keys, or more."""
        ids = {name: frame.with_columns(*keys) for name, frame in self.ids.items()}
        return Partials(self.figures.with_columns(*keys), ids)


def _joined(frame: pl.DataFrame, marks: pl.DataFrame, on: Sequence[str]) -> pl.DataFrame:
    return frame.join(marks, on=list(on), how="left", nulls_equal=True)


class Measures:
    """What the metrics of a question take of events, which have the columns `keys`."""

    def __init__(self, query: StatsQuery, keys: Sequence[str], limits: Limits) -> None:
        self._metrics = dict(zip(query.values, query.metrics, strict=True))
        self._exact, self._limits = query.exact, limits
        self._keys, self._texts = list(keys), list(query.group_by)
        self._kinds = list(dict.fromkeys(one.kind for one in query.metrics if one.is_distinct))
        self.columns = list(dict.fromkeys(one.column for one in query.metrics if one.is_figure))

    def prepared(self, events: pl.LazyFrame) -> pl.LazyFrame:
        """The keys of events, their ids, which may come as hashes, and their numbers."""
        types = events.collect_schema()
        columns = [pl.col(name) for name in self._keys]
        for kind in self._kinds:
            name = DISTINCT[kind]
            id_ = pl.col(name) if types[name] == pl.UInt64() else pl.col(name).cast(pl.String)
            is_hash = self._exact or types[name] == pl.UInt64()
            columns.append((id_ if is_hash else hashed(id_)).alias(f"{_ID} {kind}"))
        for place, name in enumerate(self.columns):
            text = pl.col(digits_of(name))
            columns += [
                number(text).to_physical().alias(f"number {place}"),
                text.is_not_null().alias(f"value {place}"),
            ]
        return events.select(columns)

    def partials(self, events: pl.LazyFrame) -> Partials:
        """The partial aggregates of all events, by the keys."""
        parts = [self._of(self.prepared(events).head(0).collect())]
        most, lock = self._limits.merge_rows, Lock()

        def take(batch: pl.DataFrame) -> None:
            nonlocal most
            found = self._of(batch)
            with lock:
                parts.append(found)
                if sum(part.height for part in parts) > most:
                    parts[:] = [self.merged(parts, self._keys)]
                    most = max(self._limits.merge_rows, 2 * parts[0].height)

        each_batch(self.prepared(events), take, self._limits.batch_rows)
        return self.merged(parts, self._keys)

    def _of(self, batch: pl.DataFrame) -> Partials:
        figures = [pl.len().cast(pl.Int64).alias(EVENTS)]
        for place, _ in enumerate(self.columns):
            one = pl.col(f"number {place}")
            values = one.count().cast(pl.Int64)
            others = (pl.col(f"value {place}").sum().cast(pl.Int64) - values).alias(f"others {place}")
            figures += [one.sum().alias(f"sum {place}"), values.alias(f"values {place}"), others]
            figures += [one.min().alias(f"least {place}"), one.max().alias(f"greatest {place}")]
        grouped = _grouped(batch.lazy(), self._keys, figures)
        ids = [self._ids(batch, pl.col(f"{_ID} {kind}")) for kind in self._kinds]
        frames = pl.collect_all([self._as_text(frame) for frame in (grouped, *ids)])
        return Partials(frames[0], dict(zip(self._kinds, frames[1:], strict=True)))

    def _ids(self, batch: pl.DataFrame, one: pl.Expr) -> pl.LazyFrame:
        known = batch.lazy().filter(one.is_not_null())
        if self._exact:
            return known.select(*self._keys, one.alias(_ID)).unique()
        return sketch.registers(known, self._keys, one)

    def _as_text(self, frame: pl.LazyFrame) -> pl.LazyFrame:
        """The labels, which may come as Categoricals, as text."""
        return frame.with_columns(pl.col(self._texts).cast(pl.String)) if self._texts else frame

    def merged(self, parts: Sequence[Partials], keys: Sequence[str]) -> Partials:
        """Partial aggregates merged, by some of their keys."""
        figures = [pl.col(EVENTS).sum()]
        for place, _ in enumerate(self.columns):
            figures += [pl.col(f"{name} {place}").sum() for name in ("sum", "values", "others")]
            figures += [pl.col(f"least {place}").min(), pl.col(f"greatest {place}").max()]
        grouped = _grouped(pl.concat([part.figures for part in parts]).lazy(), keys, figures)
        ids = [self._merged_ids(pl.concat([part.ids[kind] for part in parts]).lazy(), keys) for kind in self._kinds]
        frames = pl.collect_all([grouped, *ids], engine="streaming")
        return Partials(frames[0], dict(zip(self._kinds, frames[1:], strict=True)))

    def _merged_ids(self, ids: pl.LazyFrame, keys: Sequence[str]) -> pl.LazyFrame:
        if self._exact:
            return ids.select(*keys, _ID).unique()
        return ids.group_by(*keys, sketch.REGISTER).agg(pl.col(sketch.LOW).min(), pl.col(sketch.HIGH).max())

    def values(self, partials: Partials, keys: Sequence[str]) -> pl.DataFrame:
        """A row for every group by some of the keys: these and the value of each metric, figures in billionths."""
        whole = self.merged([partials], keys)
        rows = whole.figures
        for kind, ids in whole.ids.items():
            count = pl.len().cast(pl.Int64) if self._exact else sketch.estimate()
            counted = _grouped(ids.lazy(), keys, [count.alias(f"{_ID} {kind}")]).collect()
            rows = _joined(rows, counted, keys) if keys else rows.hstack(counted)
        return rows.select(*keys, *(self._value(one).alias(key) for key, one in self._metrics.items()))

    def _value(self, metric: Metric) -> pl.Expr:
        if metric.kind == COUNT:
            return pl.col(EVENTS)
        if metric.is_distinct:
            return pl.col(f"{_ID} {metric.kind}").fill_null(0)
        place = self.columns.index(metric.column)
        total, values = pl.col(f"sum {place}"), pl.col(f"values {place}").cast(_BILLIONTHS)
        figures = {
            "sum": total,
            "avg": rounded_quotient(total, values),
            "min": pl.col(f"least {place}"),
            "max": pl.col(f"greatest {place}"),
        }
        return pl.when(values > 0).then(figures[metric.kind])

    def others(self, partials: Partials) -> dict[str, int]:
        """How many values of each column are no numbers."""
        return {name: int(partials.figures[f"others {place}"].sum()) for place, name in enumerate(self.columns)}


def rounded_quotient(numerator: pl.Expr, denominator: pl.Expr) -> pl.Expr:
    """The quotient of 128-bit integers, rounded half-even; the denominator is not negative."""
    quotient = numerator // denominator
    twice = 2 * (numerator - quotient * denominator)
    is_up = (twice > denominator) | ((twice == denominator) & (quotient % 2 == 1))
    return quotient + is_up.cast(_BILLIONTHS)


def _grouped(frame: pl.LazyFrame, keys: Sequence[str], figures: Sequence[pl.Expr]) -> pl.LazyFrame:
    return frame.group_by(list(keys)).agg(figures) if keys else frame.select(figures)
