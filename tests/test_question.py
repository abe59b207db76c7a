"""How each parameter of the question is read, and how all that is wrong with a question is said at once."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmstats.errors import InvalidGroupBy, InvalidParams
from mmstats.options import Option
from mmstats.question.instants import instant_text, parse_instant
from mmstats.question.parameters import DIMENSIONS, EXTENSIONS, PARAMETERS, QUESTION
from mmstats.question.query import StatsQuery
from mmstats.question.read import read_question
from tests.conftest import Ask

FIELDS = {
    "from": "start",
    "to": "end",
    "event": "events",
    "compare": "previous",
}  # where they are not called as their parameters


def faults_of(
    texts: Mapping[str, Sequence[str]], required: Sequence[str] = (), options: Sequence[Option] = QUESTION
) -> dict[str, list[str]]:
    """What is wrong with each parameter."""
    with pytest.raises(InvalidParams) as refused:
        read_question(texts, options, required=required)
    return refused.value.field_errors


def fault_of(name: str, text: str, options: Sequence[Option] = QUESTION) -> str:
    """The one thing that is wrong with one parameter."""
    faults = faults_of({name: [text]}, options=options)
    assert list(faults) == [name]
    (fault,) = faults[name]
    return fault


def at(*numbers: int) -> datetime:
    """An instant in UTC."""
    return datetime(*numbers, tzinfo=UTC)  # type: ignore[arg-type, misc]


INSTANTS = [
    ("2026-05-01", at(2026, 5, 1)),
    ("2026-05-01T00:00:00Z", at(2026, 5, 1)),
    ("2026-05-01T10:11:12", at(2026, 5, 1, 10, 11, 12)),
    ("2026-05-01 10:11:12", at(2026, 5, 1, 10, 11, 12)),
    ("2026-05-01 10:11:12Z", at(2026, 5, 1, 10, 11, 12)),
    ("2026-05-01T10:11", at(2026, 5, 1, 10, 11)),
    ("2026-05-01T10:11Z", at(2026, 5, 1, 10, 11)),
    ("2026-05-01T10:11+02:00", at(2026, 5, 1, 8, 11)),
    ("2026-05-01T00:30:00+02:00", at(2026, 4, 30, 22, 30)),
    ("2026-05-01T10:11:12-0530", at(2026, 5, 1, 15, 41, 12)),
    ("2026-05-01T10:11:12+02", at(2026, 5, 1, 8, 11, 12)),
    ("2026-05-01T10:11:12-00:00", at(2026, 5, 1, 10, 11, 12)),
    ("2026-05-01T10:11:12+23:59", at(2026, 4, 30, 10, 12, 12)),
    ("2026-05-01T10:11:12.5Z", at(2026, 5, 1, 10, 11, 12, 500_000)),
    ("2026-05-01T10:11:12,000001Z", at(2026, 5, 1, 10, 11, 12, 1)),
    ("2026-05-01T10:11:12.9999999999Z", at(2026, 5, 1, 10, 11, 12, 999_999)),
    ("1969-12-31T23:59:59.9999999", at(1969, 12, 31, 23, 59, 59, 999_999)),
    ("2024-02-29T23:59:59Z", at(2024, 2, 29, 23, 59, 59)),
    ("0001-01-01", at(1, 1, 1)),
    ("0001-01-01T01:00:00+01:00", at(1, 1, 1)),
    ("9999-12-31T23:59:59.999999Z", at(9999, 12, 31, 23, 59, 59, 999_999)),
]


@pytest.mark.parametrize(("text", "instant"), INSTANTS, ids=[text for text, _ in INSTANTS])
@pytest.mark.parametrize(("name", "field"), [("from", "start"), ("to", "end")])
def test_instants_are_read_in_every_form(name: str, field: str, text: str, instant: datetime) -> None:
    """Every ISO 8601 form of the contract is read, no zone is UTC, and fractions are floored to the microsecond."""
    assert getattr(read_question({name: [text]}), field) == instant


@pytest.mark.parametrize(
    "text",
    [
        *("2026-05-01T10:11:60Z", "2026-05-01T24:00:00Z", "2026-05-01T10:60:00Z"),
        *("2026-05-01T10:11:12+24:00", "2026-05-01T10:11:12+02:60", "2026-05-01T10:11:12+2", "2026-05-01T10:11:12+02:"),
        *("2026-05-01T10:11.5Z", "2026-05-01T10:11:12.Z", "2026-05-01T10", "2026-05-01T", "2026-05-01Z"),
        *("2026-5-1", "20260501", "2026-121", "2026-W18-5", "26-05-01", "+2026-05-01", "12026-05-01", "-001-05-01"),
        *("2026-05-01T10:11:12 Z", " 2026-05-01", "2026-05-01 ", "2026-05-01\n", "2026-05-01T10:11:12Z\n"),
        *("2026-05-01  10:11:12", "2026-05-01_10:11:12", "2026-05-01T10:11:12ZZ", "2026-05-01T10:11:12UTC"),
        *("٢٠٢٦-٠٥-٠١", "2026\u201105\u201101", "1777593600", "today", "now", "-", "null", " "),
    ],
)
def test_what_is_no_instant_is_refused_with_an_example(text: str) -> None:
    """A text that is no instant is refused, quoted, with an example."""
    fault, _, offer = fault_of("from", text, PARAMETERS).partition("; ")
    assert fault == f"must be an ISO 8601 instant such as 2026-05-01 or 2026-05-01T00:00:00Z, not {text!r}"
    for instant in re.findall(r"\d{4}-\d\d-\d\d\S*?(?=\?|$)", offer):
        assert parse_instant(instant)


@pytest.mark.parametrize(
    "text",
    [
        *("2026-02-29", "2026-13-01", "2026-00-10", "2026-04-31", "1900-02-29T00:00:00Z", "0000-01-01"),
        *("0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-01:00"),
    ],
)
def test_instants_outside_the_calendar_are_refused_as_such(text: str) -> None:
    """Days that do not exist, and instants that lie in UTC outside the years 1 to 9999, are refused."""
    assert fault_of("to", text) == f"is not a date and time between the years 1 and 9999: {text!r}"


@pytest.mark.parametrize(
    "text",
    ["2026-05-01T00:00:00 02:00", "2026-05-01 00:00:00 0200", "2026-05-01T00:00:00.5 02", "2026-05-01T00:00 02:00"],
)
def test_a_lost_plus_is_refused_with_its_cause(text: str) -> None:
    """A blank before an offset is explained as a `+` that a client did not percent-encode."""
    assert fault_of("from", text) == (
        f"has a blank before the offset in {text!r}: a '+' must be percent-encoded as %2B in a URL"
    )


@given(
    # An offset could carry the first and the last day over the end of the calendar.
    st.datetimes().filter(lambda moment: 1 < moment.year < 9999),
    st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)
@settings(max_examples=300)
def test_instants_mean_what_the_standard_library_says(moment: datetime, zone: timezone) -> None:
    """Any instant in any zone is read as Python's own ISO 8601 reader reads it, from text and from a datetime."""
    aware = moment.replace(tzinfo=zone)
    for text in (aware.isoformat(), aware.isoformat(" "), instant_text(aware)):
        assert parse_instant(text) == datetime.fromisoformat(text) == aware
        assert parse_instant(text).utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("text", "limit"),
    [("1", 1), ("7", 7), ("1000", 1000), ("0010", 10), ("0" * 5000 + "42", 42)],
    ids=lambda v: f"{v:.6}" if isinstance(v, str) else "",
)
def test_limits_are_ascii_digits_from_1_to_1000(text: str, limit: int) -> None:
    """A limit in ASCII digits is read, however many zeros lead it."""
    assert read_question({"limit": [text]}).limit == limit


@pytest.mark.parametrize(
    "text",
    [
        *("0", "1001", "-1", "+5", "5.0", "5.", "1e2", "1_0", "1,000", "0x10", " 5", "5 ", "5\n", "ten", "None", "all"),
        *("٣", "３", "²", "5\u0660", "000", "NaN", "\0", "1" + "0" * 400, "1" + "0" * 5000, "0" * 5000),
    ],
    ids=lambda text: f"{text!a:.12}",
)
def test_limits_that_are_none_are_refused_and_never_clamped(text: str) -> None:
    """A limit out of range, or not written in ASCII digits alone, is refused with the range."""
    more = text.strip("0").isascii() and text.strip("0").isdigit() and len(text.lstrip("0")) > 3
    offer = "; all lifts the limit" * (more or text in ("0", "-1", "all"))
    assert fault_of("limit", text) == f"must be an integer from 1 to 1000, not {text!r}{offer}"


@pytest.mark.parametrize(
    ("texts", "columns"),
    [
        (["source"], ("source",)),
        (["source,medium"], ("source", "medium")),
        (["path,country,event_name"], ("path", "country", "event_name")),
        (["  source ,\tmedium\n"], ("source", "medium")),
        (["medium,source,medium,medium, source"], ("medium", "source")),
        ([",".join(reversed(DIMENSIONS))], tuple(reversed(DIMENSIONS))),
        ([""], ()),
        (["  "], ()),
        ([], ()),
        (["source", "medium,os"], ("source", "medium", "os")),
        (["os", "", "os,source"], ("os", "source")),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_group_by_is_trimmed_collapsed_and_kept_in_order(texts: list[str], columns: tuple[str, ...]) -> None:
    """Blanks are trimmed, repeats collapsed, nothing means none, and the order given is the order of the columns."""
    assert read_question({"group_by": texts}).group_by == columns


@pytest.mark.parametrize(
    ("text", "invalid"),
    [
        ("campaign", ["campaign"]),
        ("source,referer,campaign", ["referer", "campaign"]),
        ("Source", ["Source"]),
        ("event", ["event"]),
        ("timestamp", ["timestamp"]),
        ("anonymous_id", ["anonymous_id"]),
        ("source,,medium", [""]),
        ("source,", [""]),
        (",", [""]),
        ("source medium", ["source medium"]),
        ("source;medium", ["source;medium"]),
        ("bucket,value,bucket", ["bucket", "value"]),
    ],
)
def test_columns_outside_the_allow_list_are_an_error_of_their_own(text: str, invalid: list[str]) -> None:
    """Grouping columns alone at fault raise InvalidGroupBy with the offenders and the eight allowed columns."""
    with pytest.raises(InvalidGroupBy) as refused:
        read_question({"group_by": [text]}, PARAMETERS)
    assert refused.value.invalid == invalid
    assert refused.value.allowed == list(DIMENSIONS)
    assert all(repr(name) in refused.value.message for name in invalid)
    assert all(name in refused.value.hint for name in DIMENSIONS)


def test_a_misspelt_column_is_offered_the_nearest() -> None:
    """The hint for an unknown column names the allowed one that it resembles."""
    with pytest.raises(InvalidGroupBy) as refused:
        read_question({"group_by": ["contry"]})
    assert refused.value.hint.startswith("did you mean country?")


def test_unknown_columns_are_listed_among_other_faults() -> None:
    """With another parameter at fault, InvalidParams lists the unknown columns under group_by."""
    faults = faults_of({"group_by": ["campaign,source,x"], "limit": ["0"]}, options=PARAMETERS)
    assert faults == {
        "limit": ["must be an integer from 1 to 1000, not '0'"],
        "group_by": ["has the unknown column 'campaign'", "has the unknown column 'x'"],
    }


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("groupby", "group_by"),
        ("group-by", "group_by"),
        ("GROUP_BY", "group_by"),
        ("form", "from"),
        ("metrics", "metric"),
        ("events", "event"),
        ("intervall", "interval"),
        ("limits", "limit"),
    ],
)
def test_unknown_parameters_are_refused_with_the_nearest_name(name: str, near: str) -> None:
    """A misspelt parameter is refused, since ignoring it would answer another question, and the nearest is named."""
    assert fault_of(name, "x") == f"is not a parameter; did you mean {near}?"


@pytest.mark.parametrize("name", ["zzz", "", "\u202e", "start", "unlimited"])
def test_unknown_parameters_near_nothing_are_refused(name: str) -> None:
    """A parameter that is none, nor near one, is refused; the fields of the question are no parameters."""
    assert fault_of(name, "1").startswith("is not a parameter; ")


@pytest.mark.parametrize("name", [extension.name for extension in EXTENSIONS])
def test_extensions_are_unknown_to_the_api(name: str) -> None:
    """With the parameters of the API alone, an extension is none of them."""
    with pytest.raises(InvalidParams, match=f"^{name} is not a parameter; "):
        read_question({name: ["true"]}, PARAMETERS)


ONCE = [parameter.name for parameter in PARAMETERS if not parameter.repeatable]
GOOD = {"metric": "uniques", "from": "2026-05-01", "to": "2026-05-02", "event": "e", "interval": "day", "limit": "5"}


@pytest.mark.parametrize("name", ONCE)
def test_parameters_may_be_given_once_and_not_empty(name: str) -> None:
    """Each parameter except group_by is refused when repeated, even with the same value, and when empty."""
    assert faults_of({name: [GOOD[name]] * 2}, options=PARAMETERS) == {name: ["may be given only once"]}
    assert faults_of({name: [""]}) == {name: ["must not be empty"]}
    read_question({name: [GOOD[name]]})


def test_an_empty_event_is_hinted_to_be_the_shell() -> None:
    """An empty event name hints that a shell has replaced an unquoted dollar name."""
    with pytest.raises(InvalidParams) as refused:
        read_question({"event": [""]})
    assert "'$pageview'" in refused.value.hint


@pytest.mark.parametrize("event", ["$pageview", " ", " Signup ", "a,b", "日本", "\U0001f600", "'", "\0"])
def test_event_names_are_taken_as_they_stand(event: str) -> None:
    """An event name is any text: neither trimmed nor folded."""
    assert read_question({"event": [event]}).events == (event,)


def test_an_event_that_is_not_unicode_is_refused() -> None:
    """A name of bytes that are no UTF-8, which Python holds as lone surrogates, is refused."""
    assert fault_of("event", "a\udcff") == "must be valid UTF-8"


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("metric", "unique", "must be count or uniques, not 'unique'; did you mean uniques?"),
        ("metric", "Count", "must be count or uniques, not 'Count'; did you mean count?"),
        ("metric", "sum", "must be count or uniques, not 'sum'"),
        ("interval", "days", "must be hour or day or week, not 'days'; did you mean day?"),
        ("interval", " day", "must be hour or day or week, not ' day'; did you mean day?"),
        ("interval", "month", "must be hour or day or week, not 'month'"),
    ],
)
def test_choices_are_exact_and_offered(name: str, text: str, fault: str) -> None:
    """A value outside the choices is refused with all of them, and with the nearest where one is near."""
    assert fault_of(name, text, PARAMETERS) == fault


def test_an_interval_adds_the_bucket_to_the_labels() -> None:
    """The labels of a row are its bucket, if there is an interval, then the grouped columns."""
    assert read_question({"group_by": ["os,path"]}).labels == ("os", "path")
    assert read_question({"interval": ["day"], "group_by": ["os,path"]}).labels == ("bucket", "os", "path")


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-05-02", "2026-05-01"),
        ("2026-05-01", "2026-05-01"),
        ("2026-05-01T02:00:00+02:00", "2026-05-01"),
        ("2026-05-01T00:00:00.0000009", "2026-05-01"),
    ],
)
def test_a_range_must_not_be_empty(start: str, end: str) -> None:
    """A start at or after the end is a fault of `from`, compared as instants."""
    (fault,) = faults_of({"from": [start], "to": [end]})["from"]
    assert fault.startswith("must be before the end of the range, and ")


def test_all_faults_are_said_at_once() -> None:
    """Every wrong parameter is listed, each under its name, in one error whose text has them all."""
    texts = {
        "metric": ["sum"],
        "from": ["yesterday"],
        "to": [""],
        "event": ["a", "b"],
        "interval": ["month"],
        "limit": ["1_0"],
        "groupby": ["source"],
        "group_by": ["campaign"],
    }
    with pytest.raises(InvalidParams) as refused:
        read_question(texts, PARAMETERS)
    assert set(refused.value.field_errors) == set(texts)
    assert all(len(faults) == 1 for faults in refused.value.field_errors.values())
    assert all(f"{name} {faults[0]}" in refused.value.message for name, faults in refused.value.field_errors.items())


def test_required_parameters_are_missed() -> None:
    """Required parameters that are missing are faults, beside the other ones."""
    assert faults_of({"limit": ["0"]}, required=("from", "to")) == {
        "limit": ["must be an integer from 1 to 1000, not '0'; all lifts the limit"],
        "from": ["is required"],
        "to": ["is required"],
    }
    assert faults_of({"from": [""], "to": ["2026-05-01"]}, required=("from", "to")) == {"from": ["must not be empty"]}


def test_faults_of_the_caller_are_raised_too() -> None:
    """Faults that the caller has found are raised together with those found here, and are not changed."""
    found = {"format": ["is none"]}
    with pytest.raises(InvalidParams) as refused:
        read_question({"limit": ["x"]}, faults=found)
    assert list(refused.value.field_errors) == ["format", "limit"]
    assert found == {"format": ["is none"]}


SWITCHES = [extension.name for extension in EXTENSIONS if extension.is_switch]


def test_extensions_that_contradict_parameters_are_refused() -> None:
    """All rows exclude a limit, filling needs an interval, and only an estimate can be asked for exactly."""
    assert faults_of({"limit": ["5"], "all": ["true"]}) == {"limit": ["cannot be given when all rows are asked for"]}
    assert faults_of({"fill": ["true"]}) == {"fill": ["needs an interval"]}
    for texts in ({"exact": ["true"]}, {"exact": ["true"], "metric": ["count"]}):
        assert faults_of(texts) == {"exact": ["needs a metric that is estimated: uniques, users or sessions"]}
    assert list(faults_of({"exact": ["true"], "metric": ["uniqes"]})) == ["metric"]
    texts = {"interval": ["day"], "metric": ["uniques"], "group_by": ["os"], "top": ["3"]}
    assert read_question(texts | {name: ["true"] for name in SWITCHES}) == StatsQuery(
        *("uniques", None, None, (), ("os",), "day", None),
        **{"top": 3, **{name: True for name in SWITCHES if name != "all"}},
    )


@pytest.mark.parametrize("name", SWITCHES)
def test_extensions_are_true_or_false(name: str) -> None:
    """An extension that is false changes nothing, and one that is anything else is refused."""
    assert read_question({name: ["false"]}) == StatsQuery()
    assert [fault_of(name, text) for text in ("", "1", "True")] == ["must be true or false"] * 3
    assert faults_of({name: ["true", "true"]}) == {name: ["may be given only once"]}


def test_no_parameters_are_the_plain_question() -> None:
    """No texts are the question of all defaults."""
    assert read_question({}) == StatsQuery()


def test_declarations_agree_with_the_question() -> None:
    """Every declared parameter has its field in the question, with the same default, and every field is declared."""
    defaults = {field.name: field.default for field in fields(StatsQuery)}
    others = {"all", "last", "period", "now"}  # what they say stands in other fields
    declared = {FIELDS.get(one.name, one.name): one.default for one in QUESTION if one.name not in others}
    computed = {"timezone": "UTC", "week_start": "monday", "is_of_now": False}
    assert declared | computed == defaults
    assert [parameter.name for parameter in PARAMETERS] == [
        *("metric", "from", "to", "event", "group_by", "interval", "limit")
    ]


@pytest.mark.parametrize("declared", PARAMETERS, ids=lambda parameter: parameter.name)
def test_declarations_agree_with_what_is_read(declared: Option) -> None:
    """Declared choices, bounds and defaults are those that are read; each has help, a metavar and a flag."""
    assert declared.help.endswith(".")
    assert declared.metavar or declared.choices
    assert declared.flag == "--" + declared.name.replace("_", "-")
    for text in (*declared.choices, *map(str, declared.bounds or ())):
        value = getattr(read_question({declared.name: [text]}), FIELDS.get(declared.name, declared.name))
        assert value in (text, (text,), int(text) if declared.bounds else None)
    if declared.bounds:
        low, high = declared.bounds
        assert fault_of(declared.name, str(low - 1)).startswith(
            fault_of(declared.name, "x").replace("'x'", repr(str(low - 1)))
        )
        fault_of(declared.name, str(high + 1))
    if declared.default is not None and declared.name != "group_by":
        assert getattr(read_question({declared.name: [str(declared.default)]}), declared.name) == declared.default


@pytest.mark.parametrize(
    ("arguments", "flag", "value"),
    [
        (("--data", "--sample"), "--data", "--sample"),
        (("--sample", "--group-by", "--interval", "day"), "--group-by", "--interval"),
        (("--sample", "--map", "--exact"), "--map", "--exact"),
    ],
)
def test_a_flag_is_not_a_value_of_a_repeatable_option(
    ask: Ask, arguments: tuple[str, ...], flag: str, value: str
) -> None:
    """An option that may be repeated takes no flag for its value, as others do not."""
    ran = ask(None, *arguments)
    assert (ran.code, ran.error) == (2, f"{flag} needs a value, not the flag {value}")
