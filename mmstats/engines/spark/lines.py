"""Lines of JSON or CSV as patterns take them apart: exactly what both engines read alike, and no other line.

A line that does not fit is `doubtful`, not bad: it may be broken, or only beyond a pattern (nested deeper, a quoted
line break, a number with an exponent). The cluster never guesses at one. Patterns are what its servers have in common:
their own readers of JSON and CSV differ from each other and from the contract, as in which of two equal keys counts,
what may follow an object, and whether a short row is padded.

Java runs a repeated group by calling itself, once for each time, and a long line would end the cluster's process for
want of a stack. A possessive one, as in `(?:,x)*+`, is a loop there; here none would ever be left again for another
try. A `Dialect` that has none, and needs none, is given them as plain ones.
"""

from collections.abc import Sequence

from pyspark.sql.column import Column
from pyspark.sql.connect import functions as F

from mmstats.engines.spark.dialect import Dialect

_DEPTH = 3  # of objects and lists in the objects of lines
_B = r"[ \t\r]*"
_ESCAPE = (
    r'(\\)(?:["\\/bfnrt]|u(?:[0-9a-cefA-CEF][0-9a-fA-F]{3}|[dD][0-7][0-9a-fA-F]{2}'
    r"|[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}))"
)
_PLAIN = r'[^"\\\x00-\x1f]*'
_STRING = rf'"{_PLAIN}(?:{_ESCAPE}{_PLAIN})*+"'  # group 1 is the backslash of an escape in it
_NUMBER = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,2})?"
_EMPTIED = r'"(?:\\\\)?"'  # a string, with two backslashes where it had escapes
_BARE = rf"(?:{_EMPTIED}|{_NUMBER}|true|false|null)"
_FLAT = (  # an object or a list without others in it
    rf"\{{{_B}(?:{_EMPTIED}{_B}:{_B}{_BARE}{_B}(?:,{_B}{_EMPTIED}{_B}:{_B}{_BARE}{_B})*+)?\}}"
    rf"|\[{_B}(?:{_BARE}{_B}(?:,{_B}{_BARE}{_B})*+)?\]"
)

# Numbers whose text does not depend on how a float is rounded: integers, and decimals that floats tell apart.
_INTEGER = r"^(?:0|[1-9][0-9]{0,18}|-[1-9][0-9]{0,17})\z"
_DECIMAL = (
    r"^-?(?:[0-9]{1,3}\.[0-9]{1,12}|[0-9]{4,9}\.[0-9]{1,6}|[1-7][0-9]{9}\.[0-9]{1,6}|[0-9]{10,12}\.[0-9]{1,3}"
    r"|[1-7][0-9]{12}\.[0-9]{1,3})\z"
)


def json_fits(line: Column, dialect: Dialect) -> Column:
    """Whether a line is an object that is read alike everywhere.

    One pattern of all levels doubles with each: instead strings are emptied, then the innermost objects and lists made
    nulls, level by level. What an invalid line had too much is still there: an odd quote never becomes a string's.
    """
    bare = F.regexp_replace(line, dialect.regex(_STRING), '"$1$1"')
    for _ in range(_DEPTH):
        bare = F.regexp_replace(bare, dialect.regex(rf"([,:\[]{_B})(?:{_FLAT})"), "$1 null")
    member = rf'{_B}""{_B}:{_B}{_BARE}{_B}'
    whole = rf"^{_B}\{{(?:{member}(?:,{member})*+|{_B})\}}{_B}\z"
    return F.is_valid_utf8(line) & bare.rlike(dialect.regex(whole))


def json_token(line: Column, name: str, dialect: Dialect) -> Column:
    """The value that an object's first key of a name has, as it is written; an empty text without such a key.

    The line is known to be an object, so that its values need only be passed over.
    """
    key = rf'{_B}"{_literally(name)}"{_B}:{_B}'
    other = rf'{_B}"{_PLAIN}"{_B}:{_B}{_PASSED}{_B},'
    before = rf"(?:(?!{key}){other})*+" if dialect.possessive else rf"(?:{other})*?"
    return F.regexp_extract(line, dialect.regex(rf"^{_B}\{{{before}{key}({_PASSED})"), 1)


def _passed(depth: int) -> str:
    """Any value of so many levels in what is known to be JSON."""
    string, between = r'"[^"\\]*(?:\\.[^"\\]*)*+"', r'[^"\[\]{}]*'
    held = string
    for _ in range(depth):
        held = rf"(?:{string}|[\[{{]{between}(?:{held}{between})*+[\]}}])"
    return rf'(?:{held}|[^"\[\]{{}},\s]+)'


_PASSED = _passed(_DEPTH)


def _literally(name: str) -> str:
    """A name as a pattern that both Java and Rust read so."""
    return "".join(one if one.isalnum() or one in "_ " or not one.isascii() else f"\\x{ord(one):02x}" for one in name)


def json_nameable(name: str) -> bool:
    """Whether a key of this name is spelled without escapes, so that a pattern finds it."""
    return not any(one in '"\\' or ord(one) < 0x20 for one in name)


def json_text(token: Column) -> Column:
    """The text of a value, lists and objects compact; null for null and for none."""
    inner = F.substring(token, 2, F.length(token) - F.lit(2))
    decoded = F.get_json_object(F.concat(F.lit('{"v":'), token, F.lit("}")), "$.v")
    string = F.when(token.contains("\\"), decoded).otherwise(inner)
    compact = F.regexp_replace(token, rf'("{_PLAIN}")|[ \t\r]+', "$1")
    text = F.when(token.startswith('"'), string).when(token.rlike(_DECIMAL), F.regexp_replace(token, r"\.?0+\z", ""))
    return text.when(token.rlike(r"^[\[{]"), compact).when(~token.isin("", "null"), token)


def json_doubtful(token: Column) -> Column:
    """Whether a value has no text that is the same everywhere: a rare number, half an object's keys twice."""
    keys = F.regexp_extract_all(token, F.lit(rf'("{_PLAIN}"){_B}:'), F.lit(1))
    twice = F.array_size(F.array_distinct(keys)) != F.array_size(keys)
    number = ~(token.rlike(_INTEGER) | token.rlike(_DECIMAL))
    return (token.rlike("^[-0-9]") & number) | (token.rlike(r"^[\[{]") & (token.contains("\\") | twice))


def csv_fits(line: Column, delimiter: str, fields: int) -> Column:
    """Whether a line is a whole record of so many fields.

    What is quoted becomes a quote, two of them where it had a doubled one, which delimiters alone may stand beside.
    """
    bare = F.regexp_replace(line, '"[^"]*"', '"')
    whole = (_count(line, '"') % 2 == 0) & (_count(bare, delimiter) == fields - 1)
    return F.is_valid_utf8(line) & whole & ~bare.rlike(rf'[^"{delimiter}]"|"[^"{delimiter}]|[\r\n]')


def _count(text: Column, one: str) -> Column:
    """How often a character is in a text."""
    return F.length(text) - F.length(F.replace(text, F.lit(one), F.lit("")))


def csv_token(line: Column, delimiter: str, at: int, dialect: Dialect) -> Column:
    """A field of a record, as it is written."""
    field = rf'(?:"[^"]*(?:""[^"]*)*+"|[^"{delimiter}]*)'
    return F.regexp_extract(line, dialect.regex(rf"^(?:{field}{delimiter}){{{at}}}+({field})"), 1)


def csv_text(token: Column) -> Column:
    """The text of a field; null for an empty one without quotes."""
    inner = F.substring(token, 2, F.length(token) - F.lit(2))
    quoted = F.replace(inner, F.lit('""'), F.lit('"'))
    return F.when(token.startswith('"'), quoted).when(token != "", token)


def without_return(line: Column) -> Column:
    """A line without the carriage return of a line's end."""
    # Neither by a pattern, which would mend bytes that are no text, nor of these, whose last may take the return in.
    ends = F.is_valid_utf8(line) & line.endswith("\r")
    return F.when(ends, F.substring(line, F.lit(1), F.length(line) - F.lit(1))).otherwise(line)


def all_of(conditions: Sequence[Column]) -> Column:
    """Whether all conditions hold."""
    return _folded(conditions, any_holds=False)


def any_of(conditions: Sequence[Column]) -> Column:
    """Whether any condition holds."""
    return _folded(conditions, any_holds=True)


def _folded(conditions: Sequence[Column], *, any_holds: bool) -> Column:
    found = F.lit(not any_holds)
    for condition in conditions:
        found = found | condition if any_holds else found & condition
    return found
