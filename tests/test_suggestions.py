"""What a wrong word is told to write instead: the right thing or nothing, through the command line and HTTP."""

import pickle
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st

import mmstats
from mmstats.cli import run
from mmstats.cli.app import app
from mmstats.errors import Fault, InvalidParams
from mmstats.options import suggest_option
from mmstats.question import words
from mmstats.question.buckets import INTERVALS
from mmstats.question.columns import COLUMNS as ASKABLE
from mmstats.question.instants import parse_instant
from mmstats.question.metrics import FORMS
from mmstats.question.parameters import METRICS, QUESTION
from mmstats.question.ranges import PERIODS
from mmstats.question.suggestions import suggest_instant
from mmstats.serve.options import ServeOptions
from mmstats.wording import did_you_mean, nearest, similar
from tests.asgi import ask_app, build_app

HELP = "mmstats query --help shows how it is used"
INSTANT = "must be an ISO 8601 instant such as 2026-05-01 or 2026-05-01T00:00:00Z, not "
LIMIT = "--limit must be an integer from 1 to 1000, not "
FORMATS = "--format must be table or json or ndjson or csv or markdown or parquet, not "
COLUMNS = (
    "columns: event_name, source, medium, country, device_type, browser, os, path, event_id, anonymous_id, user_id, "
    "session_id, campaign, url, referrer, properties.PATH"
)
LENGTH = "must be a number with a unit, min, h, d, w, mo or y, such as 30d, not "
PERIOD = f"must be {', '.join(PERIODS)}, or as 2026, 2026-Q2, 2026-05, 2026-W20 or 2026-05-16, not "
ZONE_NAME = "must be the IANA name of a time zone, not "
ZONE = "ranges and buckets are in UTC; {from} and {to} also take an offset, as in 2026-05-01T00:00:00+02:00"
ORDER = "rows come by bucket, then the largest value first, and {limit} cuts after that"

# What is typed after `mmstats query --sample`, the error, and the hint.
TYPED = {
    "typo": ("--evnt x", "no such option: --evnt", "did you mean --event?"),
    "swapped letters": ("--form x", "no such option: --form", "did you mean --from or --format?"),
    "beginning": ("--inter day", "no such option: --inter", "did you mean --interval?"),
    "dashes": ("--nocache", "no such option: --nocache", "did you mean --no-cache?"),
    "underscores": ("--group_by os", "no such option: --group_by", "did you mean --group-by?"),
    "one dash": ("-metric count", "no such option: -metric", "did you mean --metric?"),
    "one letter": ("-x", "no such option: -x", HELP),
    "nothing alike": ("--yaml", "no such option: --yaml", HELP),
    "filter": ("--filter a", "no such option: --filter", "--where filters events by their columns"),
    "a filter's column": ("--where sorce=b", "--where has the unknown column 'sorce'", "did you mean source?"),
    "a filter's path": (
        "--where propertes.plan=b",
        "--where has the unknown column 'propertes.plan'",
        "did you mean properties.plan?",
    ),
    "a group's path": (
        "-g propertie.plan",
        "cannot group by 'propertie.plan'",
        f"did you mean properties.plan? {COLUMNS}",
    ),
    "a metric's path": (
        "-m sum:propertys.n",
        "--metric has the unknown column 'propertys.n'",
        "did you mean properties.n?",
    ),
    "no number": ("--where source>b", "--where must compare with a number behind >, not 'b'", ""),
    "since": ("--since 2026", "no such option: --since", "--from is the start of the range, inclusive"),
    "until": ("--until 2026", "no such option: --until", "--to is the end of the range, exclusive"),
    "days": ("--days 7", "no such option: --days", "--from and --to are the range"),
    "last": ("--last 7days", f"--last {LENGTH}'7days'", "did you mean 7d?"),
    "minutes or months": ("--last 3m", f"--last {LENGTH}'3m'", "did you mean 3min or 3mo?"),
    "last of nothing": ("--last week", f"--last {LENGTH}'week'", ""),
    "period": ("--period 2026q2", f"--period {PERIOD}'2026q2'", "did you mean 2026-Q2?"),
    "a fifth quarter": ("--period 2026-Q5", "--period is not in the calendar: '2026-Q5'", ""),
    "a fifth quarter's form": ("--period 2026q5", f"--period {PERIOD}'2026q5'", ""),
    "a period's words": ("--period last_month", f"--period {PERIOD}'last_month'", "did you mean last-month?"),
    "a day of no month": ("--period 2026-02-30", "--period is not in the calendar: '2026-02-30'", ""),
    "two ranges": (
        "--last 7d --from 2026-05-01",
        "--last cannot be given with another range",
        "the range is --from and --to, or --last, or --period",
    ),
    "zone": ("--timezone europe/berlin", f"--timezone {ZONE_NAME}'europe/berlin'", "did you mean Europe/Berlin?"),
    "tz": ("--tz Europe/Berlin", "no such option: --tz", "--timezone is the zone of ranges and buckets"),
    "order by": ("--order-by value", "no such option: --order-by", "--order says by which keys rows are ordered"),
    "sort": ("--sort value", "no such option: --sort", "--order says by which keys rows are ordered"),
    "order of no key": ("--order vale", "--order has 'vale', which is no key of a row", "did you mean value?"),
    "head": ("--head 5", "no such option: --head", "--limit is how many rows to answer, the largest first"),
    "versus": ("--vs year", "no such option: --vs", "--compare is the range to compare with: previous or year"),
    "sum": ("--sum url", "no such option: --sum", "--metric is what to count, as sum:COLUMN"),
    "by": ("--by os", "no such option: --by", "--group-by names the columns to group by"),
    "a column": (
        "--country DE",
        "no such option: --country",
        "that is a column: --group-by breaks the answer down by it",
    ),
    "page": ("--page 2", "no such option: --page", "there are no pages: --all lifts the --limit"),
    "limit 0": ("--limit 0", f"{LIMIT}'0'", "--all lifts the limit"),
    "a large limit": ("--limit 5000", f"{LIMIT}'5000'", "--all lifts the limit"),
    "limit all": ("-n all", f"{LIMIT}'all'", "--all lifts the limit"),
    "limit none": ("-n x", f"{LIMIT}'x'", ""),
    "metric": ("-m visitors", "--metric has the unknown metric 'visitors'", "did you mean uniques?"),
    "metric typo": ("-m unqiue", "--metric has the unknown metric 'unqiue'", "did you mean uniques?"),
    "no metric": ("-m median", "--metric has the unknown metric 'median'", f"metrics: {', '.join(FORMS)}"),
    "interval": ("-i daily", f"--interval must be {' or '.join(INTERVALS)}, not 'daily'", "did you mean day?"),
    "no interval": ("-i decade", f"--interval must be {' or '.join(INTERVALS)}, not 'decade'", ""),
    "jsonl": ("-f jsonl", f"{FORMATS}'jsonl'", "did you mean ndjson?"),
    "md": ("-f md", f"{FORMATS}'md'", "did you mean markdown?"),
    "format typo": ("-f tabel", f"{FORMATS}'tabel'", "did you mean table?"),
    "unit": ("--timestamp-unit m", "--timestamp-unit must be s or ms or us or ns, not 'm'", ""),
    "explain": ("--explain full", "--explain takes its value behind a '='", "--explain=full"),
    "engine": (
        "--engine spark",
        "--engine must be local or sc://HOST:PORT, a Spark Connect server, not 'spark'",
        "",
    ),
    "two formats": ("--json --csv", "--format may be given only once", "--json and --csv are short for it"),
    "event column": (
        "--map evnt=type",
        "--map names 'evnt', which is no event column",
        "did you mean event_name?",
    ),
    "month": ("--from 2026-05", f"--from {INSTANT}'2026-05'", "that month is --from 2026-05-01 --to 2026-06-01"),
    "December": ("--from 2026/12", f"--from {INSTANT}'2026/12'", "that month is --from 2026-12-01 --to 2027-01-01"),
    "year": ("--from 2026", f"--from {INSTANT}'2026'", "that year is --from 2026-01-01 --to 2027-01-01"),
    "quarter": ("--to 2026-Q4", f"--to {INSTANT}'2026-Q4'", "that quarter is --from 2026-10-01 --to 2027-01-01"),
    "week": ("--to 2026W20", f"--to {INSTANT}'2026W20'", "that week is --from 2026-05-11 --to 2026-05-18"),
    "either day": ("--from 05/01/2026", f"--from {INSTANT}'05/01/2026'", "did you mean 2026-05-01 or 2026-01-05?"),
    "one day": ("--from 05/31/2026", f"--from {INSTANT}'05/31/2026'", "did you mean 2026-05-31?"),
    "day first": ("--from 31-5-2026", f"--from {INSTANT}'31-5-2026'", "did you mean 2026-05-31?"),
    "dots": ("--from 01.05.2026", f"--from {INSTANT}'01.05.2026'", "did you mean 2026-05-01?"),
    "slashes": ("--from 2026/5/1", f"--from {INSTANT}'2026/5/1'", "did you mean 2026-05-01?"),
    "digits": ("--from 20260501", f"--from {INSTANT}'20260501'", "did you mean 2026-05-01?"),
    "no day": ("--from 31/31/2026", f"--from {INSTANT}'31/31/2026'", ""),
    "seconds": ("--from 1777593600", f"--from {INSTANT}'1777593600'", "did you mean 2026-05-01T00:00:00Z?"),
    "milliseconds": (
        "--from 1777593600500",
        f"--from {INSTANT}'1777593600500'",
        "did you mean 2026-05-01T00:00:00.500000Z?",
    ),
    "small letters": (
        "--from 2026-05-01t10:00z",
        f"--from {INSTANT}'2026-05-01t10:00z'",
        "did you mean 2026-05-01T10:00Z?",
    ),
    "no instant": ("--from soon", f"--from {INSTANT}'soon'", ""),
    "swapped range": (
        "--from 2026-05-03 --to 2026-05-01T12:00+02:00",
        "--from must be before the end of the range, and 2026-05-03 is not before 2026-05-01T10:00:00Z",
        "did you mean --from 2026-05-01T10:00:00Z --to 2026-05-03?",
    ),
    "empty range": (
        "--from 2026-05-03 --to 2026-05-03",
        "--from must be before the end of the range, and 2026-05-03 is not before 2026-05-03",
        "the end of the range is exclusive",
    ),
    "a column's typo": ("-g sorce", "cannot group by 'sorce'", f"did you mean source? {COLUMNS}"),
    "another tool's column": ("-g utm_source", "cannot group by 'utm_source'", f"did you mean source? {COLUMNS}"),
    "a day for a column": (
        "-g day",
        "cannot group by 'day'",
        f"--interval splits the range into buckets of time; {COLUMNS}",
    ),
    "several columns": (
        "-g sorce,x,event",
        "cannot group by 'sorce', 'x', 'event'",
        f"sorce: did you mean source? event: did you mean event_name? {COLUMNS}",
    ),
    "several at once": (
        "-i dya -n 0 -g contry",
        f"--interval must be {' or '.join(INTERVALS)}, not 'dya'; {LIMIT}'0'; "
        "--group-by has the unknown column 'contry'",
        "--interval: did you mean day? --limit: --all lifts the limit; --group-by: did you mean country?",
    ),
    "no value": ("--from", "--from needs a value", HELP),
    "no value of a letter": ("-g", "-g needs a value", HELP),
    "a flag for a value": ("-g --all", "--group-by needs a value, not the flag --all", HELP),
}


@pytest.mark.parametrize(("typed", "error", "hint"), TYPED.values(), ids=TYPED)
def test_the_command_line_says_what_to_write(
    typed: str, error: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong word is refused with what is wrong in one line, and with what leads to the right answer in another."""
    assert run(["query", "--sample", *typed.split()]) == 2
    said = f"error: {error}\n" + (f"hint: {hint}\n" if hint else "")
    assert capsys.readouterr() == ("", said)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            "import events",
            "error: --to is required\nhint: mmstats import events/ --to store; --sample imports the bundled sample\n",
        ),
        (
            "serve --where x",
            "error: no such option: --where\nhint: mmstats serve --help shows how it is used\n",
        ),
        ("serve --bind x", "error: no such option: --bind\nhint: --host and --port are where it listens\n"),
        ("describe --sort x", "error: no such option: --sort\nhint: mmstats describe --help shows how it is used\n"),
        ("describe --csv", "error: no such option: --csv\nhint: mmstats describe --help shows how it is used\n"),
        ("keys revoke", "error: PREFIX is missing\nhint: mmstats keys revoke --help shows how it is used\n"),
        ("desc", "error: no such command: desc\nhint: did you mean mmstats describe?\n"),
        ("/", "error: no such command: /\nhint: mmstats query / asks what is in it\n"),
        ("help query day", "error: no such command: query day\nhint: mmstats help query\n"),
        ("top", "error: no such command: top\nhint: mmstats --help shows how it is used\n"),
    ],
)
def test_other_commands_point_to_what_they_have(arguments: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A hint names no option that the command does not have, and what is missing is said in our form."""
    assert run(arguments.split()) == 2
    assert capsys.readouterr() == ("", said)


# A parameter over HTTP beside a good range, and what is wrong with it.
ASKED = {
    "typo": ("groupby=os", "groupby", "is not a parameter; did you mean group_by?"),
    "format": ("format=csv", "format", "is not a parameter; the answer is JSON: metric and its rows"),
    "filter": ("filter=a", "filter", "is not a parameter; event, from and to are all that filters events"),
    "since": ("since=2026", "since", "is not a parameter; from is the start of the range, inclusive"),
    "sort": ("sort=value", "sort", f"is not a parameter; {ORDER.format(limit='limit')}"),
    "tz": ("tz=UTC", "tz", "is not a parameter; " + ZONE.format_map({"from": "from", "to": "to"})),
    "page": ("page=2", "page", "is not a parameter; known: metric, from, to, event, group_by, interval, limit"),
    "data": ("data=x", "data", "is not a parameter; known: metric, from, to, event, group_by, interval, limit"),
    "limit 0": ("limit=0", "limit", "must be an integer from 1 to 1000, not '0'"),
    "metric": ("metric=visitors", "metric", "must be count or uniques, not 'visitors'; did you mean uniques?"),
    "month": ("from=2026-05", "from", f"{INSTANT}'2026-05'; that month is from 2026-05-01 to 2026-06-01"),
    "epoch": ("from=1777593600", "from", f"{INSTANT}'1777593600'; did you mean 2026-05-01T00:00:00Z?"),
    "either day": ("from=05/01/2026", "from", f"{INSTANT}'05/01/2026'; did you mean 2026-05-01 or 2026-01-05?"),
    "swapped range": (
        "from=2026-07-01",
        "from",
        "must be before the end of the range, and 2026-07-01 is not before 2026-06-01; "
        "did you mean from 2026-06-01 to 2026-07-01?",
    ),
    "a column among other faults": (
        "limit=x&group_by=sorce",
        "group_by",
        "has the unknown column 'sorce'; did you mean source?",
    ),
}


@pytest.mark.parametrize(("asked", "name", "fault"), ASKED.values(), ids=ASKED)
def test_http_says_what_to_write(asked: str, name: str, fault: str) -> None:
    """Over HTTP a fault ends with what to write instead, parameters spelt as they are there."""
    start = "" if name == "from" else "from=2026-05-01&"
    reply = ask_app(build_app(options=ServeOptions()), f"/v1/stats?{start}to=2026-06-01&{asked}")
    assert reply.status == 400
    assert reply.faults[name] == [fault]


def test_a_server_with_extensions_offers_them() -> None:
    """What only a server with `--extensions` accepts is offered by one alone."""
    asked = "/v1/stats?from=2026-05-01&to=2026-06-01&limit=0"
    reply = ask_app(build_app(options=ServeOptions(extensions=True)), asked)
    assert reply.faults == {"limit": ["must be an integer from 1 to 1000, not '0'; all lifts the limit"]}


@pytest.mark.parametrize("days", [-1, 0, 1])
def test_named_days(days: int) -> None:
    """`yesterday` and the like are offered as the date that they are in UTC."""
    word = {-1: "yesterday", 0: "today", 1: "tomorrow"}[days]
    before = datetime.now(UTC)
    offer = suggest_instant(word)
    possible = [moment.date() + timedelta(days) for moment in (before, datetime.now(UTC))]  # midnight may have passed
    assert offer in [f"{word} is {day} in UTC" for day in possible]


@pytest.mark.parametrize(
    ("text", "length"),
    [("7d", timedelta(days=7)), ("-2w", timedelta(weeks=2)), ("90 min", timedelta(minutes=90)), ("24h", timedelta(1))],
)
def test_lengths_are_offered_as_that_long_ago(text: str, length: timedelta) -> None:
    """`7d` is offered as the instant, or the day, that long before now."""
    before = datetime.now(UTC)
    instant = parse_instant(suggest_instant(text).rpartition(" ")[2])
    after = datetime.now(UTC)
    assert before - length - timedelta(days=1) <= instant <= after - length


def test_a_dataset_that_lacks_both_columns(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """All columns that must be there and are not are named at once, in every format."""
    (tmp_path / "a.csv").write_text("when,what\n2026-05-01,a\n")
    (tmp_path / "a.ndjson").write_text('{"ts":"2026-05-01","type":"a"}\n')
    assert run(["query", str(tmp_path / "a.csv")]) == 3
    assert capsys.readouterr().err == (
        f"error: {tmp_path}/a.csv: no column 'timestamp' and no column 'event_name'\n"
        "hint: it has what, when; --map timestamp=COLUMN --map event_name=COLUMN names what serves\n"
    )
    assert run(["query", str(tmp_path / "a.ndjson")]) == 3
    assert capsys.readouterr().err == (
        f"error: {tmp_path}/a.ndjson: no column 'timestamp' and no column 'event_name'\n"
        "hint: did you mean --map timestamp=ts --map event_name=type?\n"
    )


@cache
def levenshtein(one: str, other: str) -> int:
    """How many insertions, deletions and replacements make one text of another; the textbook's definition."""
    if not one or not other:
        return len(one) + len(other)
    return min(
        levenshtein(one[1:], other) + 1,
        levenshtein(one, other[1:]) + 1,
        levenshtein(one[1:], other[1:]) + (one[0] != other[0]),
    )


def _plain(name: str) -> str:
    return re.sub("[-_]", "", name.casefold()).strip()


def is_near(name: str, candidate: str) -> bool:
    """The bound, written another way: few edits for the length, of which a swap is two here, or half the name."""
    name, candidate = _plain(name), _plain(candidate)
    most = 2 if max(len(name), len(candidate)) < 10 else 4
    return levenshtein(name, candidate) <= most or (candidate.startswith(name) and 2 * len(name) >= len(candidate))


def _flags(command: Any) -> Iterator[str]:
    for parameter in command.params:
        yield from (flag.removeprefix("--").replace("-", "_") for flag in parameter.opts if flag.startswith("--"))


COMMANDS: dict[str, list[str]] = {
    name: list(_flags(command))
    for name, command in typer.main.get_command(app).commands.items()  # type: ignore[attr-defined]
}
KNOWN = sorted({name for names in COMMANDS.values() for name in names})
_letters = st.text("abcdefghilmnoprstuvxyz_-", max_size=14)
_names = st.one_of(
    _letters,
    st.sampled_from(sorted(words.PARAMETERS)),
    st.builds(
        lambda name, at, letter: name[:at] + letter + name[at + 1 :],
        st.sampled_from(KNOWN),
        st.integers(0, 12),
        _letters,
    ),
    st.builds(lambda name, at: name[:at], st.sampled_from(KNOWN), st.integers(0, 12)),
)


@given(_names, st.sampled_from(sorted(COMMANDS)))
@settings(max_examples=400, deadline=None)
def test_an_option_that_is_offered_exists_and_is_near(name: str, command: str) -> None:
    """Whatever is typed, a command offers options that it has alone, and only such as are near, or a word's meaning."""
    offer = suggest_option(name, COMMANDS[command], words.PARAMETERS)
    offered = re.findall(r"`(\w+)`", offer)
    assert set(offered) <= set(COMMANDS[command])
    if offer.startswith("did you mean"):
        assert all(is_near(name, one) for one in offered)
    elif offer:
        assert offer in words.PARAMETERS.values()


@given(st.text(max_size=12), st.lists(st.text(max_size=12), max_size=6))
@settings(max_examples=300, deadline=None)
def test_what_is_offered_is_known_and_near(name: str, known: list[str]) -> None:
    """Of any names, those offered are known, near, and unique where one alone is offered."""
    candidates = similar(name, known)
    assert set(candidates) <= set(known)
    assert len(set(candidates)) == len(candidates)
    assert all(is_near(name, one) for one in candidates)
    assert nearest(name, known) == (candidates[0] if len(candidates) == 1 else None)
    assert bool(did_you_mean(name, known)) == (len(candidates) in (1, 2))


def test_no_word_is_a_name_itself() -> None:
    """A word of other tools that becomes a parameter or a value here has left the tables, and each leads somewhere."""
    question = {option.name for option in QUESTION}
    assert not question & set(words.API_PARAMETERS)
    for table, values in ((words.METRICS, METRICS), (words.INTERVALS, INTERVALS), (words.COLUMNS, ASKABLE)):
        assert not set(values) & set(table)
        assert all(meaning in values or "`" in meaning for meaning in table.values())
    known = {name for names in COMMANDS.values() for name in names}
    for meaning in words.PARAMETERS.values():
        assert set(re.findall(r"`(\w+)`", meaning)) <= known


def test_a_fault_is_its_text() -> None:
    """A fault with an offer equals the text that HTTP sends, and shows both halves."""
    fault = Fault("must be x", "did you mean `group_by`?")
    assert (fault, fault.what) == ("must be x; did you mean group_by?", "must be x")


def test_python_lifts_a_limit_by_none() -> None:
    """From Python, where there is no flag, a limit of 0 is pointed to None."""
    with pytest.raises(InvalidParams) as refused:
        mmstats.stats(limit=0)
    assert refused.value.message == "limit must be an integer from 1 to 1000, not 0; None lifts the limit"
    assert pickle.loads(pickle.dumps(refused.value)).sentence_by_flags() == refused.value.sentence_by_flags()
