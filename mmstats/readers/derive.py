"""Derivations as lazy expressions: what each step of a schema makes of text, in one table."""

from collections.abc import Callable, Mapping
from functools import partial
from urllib.parse import unquote, unquote_plus

import polars as pl

from mmstats.derivation import Column, Constant, Derivation, First, Join, StepName

_SCHEME = r"[A-Za-z][A-Za-z0-9+.\-]*://"
_MOST_DECODED = 2  # times that some writers encode what is encoded already

Leaf = Callable[[str], pl.Expr]  # a column of the data as text
Argument = str | tuple[tuple[str, str], ...]


def text(derivation: Derivation, leaf: Leaf, geo_database: str | None = None) -> pl.Expr:
    """A derivation as text, of columns that are all there."""
    match derivation:
        case Column(name):
            return leaf(name)
        case Constant(value):
            return pl.lit(value, pl.String)
        case First(parts):
            return pl.coalesce([text(part, leaf, geo_database) for part in parts])
        case Join(parts):
            return pl.concat_str([text(part, leaf, geo_database) for part in parts], separator=" ")
    of = text(derivation.of, leaf, geo_database)
    if derivation.name == "geo":
        from mmstats.schemas.geo import country_of

        return _by_batch(of, partial(_on_distinct, partial(country_of, database=geo_database or "")))
    return _STEPS[derivation.name](of, derivation.argument)


def _by_batch(source: pl.Expr, make: Callable[[pl.Series], pl.Series]) -> pl.Expr:
    """What a function makes of each batch of texts: where a step uses what it has found more than once.

    As an expression it would be computed as often.
    """
    return source.map_batches(make, return_dtype=pl.String, is_elementwise=True)


def _on_distinct(make: Callable[[str], str | None], texts: pl.Series) -> pl.Series:
    """What a function makes of each text, called once for equal ones; null for null."""
    known = texts.unique().drop_nulls()
    values = pl.Series([make(one) for one in known], dtype=pl.String)
    return texts.replace_strict(known, values, default=None, return_dtype=pl.String)


def _decode(source: pl.Expr, _: Argument) -> pl.Expr:
    return _by_batch(source, partial(_where, "%", decoded))


def _where(pattern: str, make: Callable[[str], str | None], texts: pl.Series) -> pl.Series:
    """The texts, and what a function makes of those that have a pattern."""
    has = texts.str.contains(pattern).fill_null(value=False)
    return texts.scatter(has.arg_true(), _on_distinct(make, texts.filter(has))) if has.any() else texts


def decoded(value: str) -> str:
    """A text percent-decoded until nothing changes, at most twice; bytes that are no UTF-8 become U+FFFD."""
    for _ in range(_MOST_DECODED):
        value = unquote(value)
    return value


def _query(source: pl.Expr, key: Argument) -> pl.Expr:
    """The first value of a key in the query of a URL, or in a text that is a query; null where it is empty.

    A text is a URL where it begins with a scheme or a slash, or has its question mark before any value.
    """
    value = rf"(?:[^&#]*&)*?{_encoded(str(key))}(?:=([^&#]*))?(?:[&#]|$)"
    in_url, alone = rf"^[^?#]*\?{value}", rf"^(?:[^?=&#]*\?)?{value}"

    def values(texts: pl.Series) -> pl.Series:
        is_url = texts.str.contains(rf"^(?:{_SCHEME}|/)").fill_null(value=False)
        found = texts.str.extract(in_url if is_url.any() else alone)
        if is_url.any() and not is_url.all():
            found = found.zip_with(is_url, texts.str.extract(alone))
        plain = _where("[%+]", unquote_plus, found)
        return plain.set(plain == "", None)

    return _by_batch(source, values)


def _encoded(key: str) -> str:
    """A pattern of all the ways in which a key may be written in a query."""
    return "".join(map(_encoded_character, key))


def _encoded_character(character: str) -> str:
    as_bytes = "".join(f"%{byte:02x}" for byte in character.encode("utf-8", "surrogatepass"))
    own = r"(?:\+| )" if character == " " else "" if character in "+&%" else pl.escape_regex(character)
    return f"(?:(?i:{as_bytes}){f'|{own}' if own else ''})"


def _url(source: pl.Expr, part: Argument) -> pl.Expr:
    """The path of a URL as it is written, or the host; null of a text that is neither a URL nor a path."""
    return _by_batch(source, _hosts if part == "host" else _paths)


def _hosts(texts: pl.Series) -> pl.Series:
    hosts = texts.str.extract(rf"^{_SCHEME}(?:[^/?#]*@)?(\[[^\]/?#]*\]|[^:/?#]*)")
    return hosts.set(hosts == "", None)


def _paths(texts: pl.Series) -> pl.Series:
    in_url, alone = texts.str.extract(rf"^{_SCHEME}[^/?#]*([^?#]*)"), texts.str.extract(r"^(/[^?#]*)")
    return in_url.set(in_url == "", "/").zip_with(in_url.is_not_null(), alone)


def _agent(source: pl.Expr, what: Argument) -> pl.Expr:
    from mmstats.schemas import agents  # which needs an extra

    return _by_batch(source, partial(_on_distinct, agents.FACTS[str(what)]))


def _values(source: pl.Expr, table: Argument) -> pl.Expr:
    """The text that a table has for each, null for those that it has not."""
    known: Mapping[str, str] = dict(table) if isinstance(table, tuple) else {}
    return source.replace_strict(known, default=None, return_dtype=pl.String)


_STEPS: Mapping[StepName, Callable[[pl.Expr, Argument], pl.Expr]] = {
    "decode": _decode,
    "url": _url,
    "query": _query,
    "agent": _agent,
    "upper": lambda source, _: source.str.to_uppercase(),
    "lower": lambda source, _: source.str.to_lowercase(),
    "values": _values,
}
