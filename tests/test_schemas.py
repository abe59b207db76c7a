"""Every known export is asked as it comes, and the answers are those of plain Python over its documented fields."""

import csv
import gzip
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import polars as pl
import pytest
from ua_parser import parse

from mmstats.cli import run
from tests.addresses import write_database
from tests.conftest import Ask

EXPORTS = Path(__file__).parent / "exports"
Row = Mapping[str, Any]
Event = dict[str, str | None]

QUESTIONS = [
    ("event_name",),
    ("source", "medium"),
    ("country",),
    ("path",),
    ("device_type", "browser", "os"),
]


def first(*values: object) -> str | None:
    """The first that is not null, as text."""
    return next((str(value) for value in values if value not in (None, "")), None)


def at(value: object, *keys: str) -> Any:
    """What nested objects hold."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def utm(text: str | None, key: str) -> str | None:
    """A campaign's parameter of a URL, or of a query alone."""
    query = text if text and "?" not in text and "=" in text else urlsplit(text or "").query
    return parse_qs(query).get(f"utm_{key}", [None])[0]


def path_of(url: str | None) -> str | None:
    """The path of a URL."""
    return urlsplit(url).path or "/" if url else None


def agent(text: str | None) -> Event:
    """What the library knows of a user agent."""
    found = parse(text or "")
    return {
        "browser": found.user_agent.family if found.user_agent else None,
        "os": found.os.family if found.os else None,
    }


def delimited(file: Path, delimiter: str = ",") -> Iterator[Row]:
    """The rows of CSV with a header, empty fields null."""
    with file.open(newline="") as stream:
        for row in csv.DictReader(stream, delimiter=delimiter):
            yield {name: value or None for name, value in row.items()}


def lines(file: Path) -> Iterator[Row]:
    """The rows of JSON lines, gzip or not."""
    content = file.read_bytes()
    content = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    yield from map(json.loads, content.splitlines())


def goatcounter(row: Row) -> Event:
    """An event of GoatCounter."""
    return {
        "timestamp": row["Date"],
        "event_name": "pageview" if row["Event"] in ("0", "false") else row["2Path"],
        "anonymous_id": row["Session"],
        "source": row["Referrer"],
        "country": row["Location"],
        "browser": row["Browser"],
        "os": row["System"],
        "path": row["2Path"],
    }


def umami(row: Row) -> Event:
    """An event of Umami."""
    return {
        "timestamp": row["created_at"],
        "event_name": row["event_name"] or {"1": "pageview", "2": "event"}.get(row["event_type"]),
        "anonymous_id": row["session_id"],
        "source": row["utm_source"],
        "medium": row["utm_medium"],
        "country": row["country"],
        "device_type": row["device"],
        "browser": row["browser"],
        "os": row["os"],
        "path": row["url_path"],
    }


def simpleanalytics(row: Row) -> Event:
    """An event of Simple Analytics."""
    return {
        "timestamp": row["added_iso"],
        "event_name": row.get("datapoint") or "pageview",
        "anonymous_id": row["session_id"] or row["uuid"],
        "source": row["utm_source"],
        "medium": row["utm_medium"],
        "country": row["country_code"],
        "device_type": row["device_type"],
        "browser": row["browser_name"],
        "os": row["os_name"],
        "path": row["path"],
    }


def vercel(row: Row) -> Event:
    """An event of Vercel."""
    return {
        "timestamp": row["timestamp"],
        "event_name": first(row["eventName"], row["eventType"]),
        "anonymous_id": first(row["deviceId"], row["sessionId"]),
        "source": utm(row.get("queryParams"), "source"),
        "medium": utm(row.get("queryParams"), "medium"),
        "country": row["country"],
        "device_type": row["deviceType"],
        "browser": row["clientName"],
        "os": row["osName"],
        "path": row["path"],
    }


def cloudflare(row: Row) -> Event:
    """A request to Cloudflare."""
    return {
        "timestamp": row["EdgeStartTimestamp"],
        "event_name": "request",
        "anonymous_id": row["ClientIP"],
        "source": utm(row["ClientRequestURI"], "source"),
        "medium": utm(row["ClientRequestURI"], "medium"),
        "country": row["ClientCountry"].upper(),
        "device_type": row["ClientDeviceType"],
        "path": row["ClientRequestPath"],
        **agent(row["ClientRequestUserAgent"]),
    }


def segment(row: Row) -> Event:
    """An event of Segment or RudderStack, from the logs or a warehouse."""
    context = row.get("context") or {}
    page = context.get("page") or {}
    url = first(page.get("url"), row.get("context_page_url"))
    text = first(context.get("userAgent"), row.get("context_user_agent"))
    facts = agent(text)
    return {
        "timestamp": first(row.get("timestamp"), row.get("originalTimestamp")),
        "event_name": first(row.get("event"), row.get("name"), row.get("type")),
        "anonymous_id": first(row.get("anonymousId"), row.get("anonymous_id")),
        "source": first(at(context, "campaign", "source"), row.get("context_campaign_source"), utm(url, "source")),
        "medium": first(at(context, "campaign", "medium"), row.get("context_campaign_medium"), utm(url, "medium")),
        "country": first(at(context, "location", "country")),
        "path": first(page.get("path"), row.get("context_page_path"), path_of(url)),
        "device_type": {"Mac OS X": "desktop"}.get(facts["os"] or ""),
        **facts,
        "os": first(at(context, "os", "name"), facts["os"]),
    }


def only_events(rows: Iterable[Row]) -> Iterator[Row]:
    """The rows that are events, where a row says what it is."""
    return (row for row in rows if row.get("type", "track") in ("track", "page", "screen"))


def posthog(row: Row) -> Event:
    """An event of PostHog."""
    held = row["properties"] if isinstance(row["properties"], dict) else json.loads(row["properties"])
    return {
        "timestamp": str(row["timestamp"]),
        "event_name": row["event"],
        "anonymous_id": row["distinct_id"],
        "source": held.get("utm_source"),
        "medium": held.get("utm_medium"),
        "country": held.get("$geoip_country_code"),
        "device_type": held["$device_type"].lower(),
        "browser": held["$browser"],
        "os": held["$os"],
        "path": held["$pathname"],
    }


def mixpanel(row: Row) -> Event:
    """An event of Mixpanel."""
    held = row["properties"]
    return {
        "timestamp": held["time"],
        "event_name": row["event"],
        "anonymous_id": held["distinct_id"],
        "source": held.get("utm_source"),
        "medium": held.get("utm_medium"),
        "country": held["mp_country_code"],
        "device_type": held.get("$device"),
        "browser": held["$browser"],
        "os": held["$os"],
        "path": path_of(held.get("$current_url")),
    }


def millimetric(row: Row) -> Event:
    """An event of the hosted API's own answers."""
    names = ("timestamp", "event_name", "anonymous_id", "source", "medium", "country", "device_type", "path")
    return {name: row[name] for name in names}


def amplitude(row: Row) -> Event:
    """An event of Amplitude."""
    platform = row["platform"] if row["platform"] in ("iOS", "Android") else None
    return {
        "timestamp": row["event_time"],
        "event_name": row["event_type"],
        "anonymous_id": first(row["device_id"], row["amplitude_id"]),
        "source": row["user_properties"].get("utm_source"),
        "medium": row["user_properties"].get("utm_medium"),
        "country": row["country"],
        "device_type": first(row["device_type"], row["device_family"]),
        "browser": row["os_name"],
        "os": first(platform, row["device_family"]),
        "path": row["event_properties"]["[Amplitude] Page Path"],
    }


def ga4(row: Row) -> Event:
    """An event of Google Analytics 4."""
    found = {one["key"]: next((value for value in one["value"].values() if value), None) for one in row["event_params"]}
    collected = row["collected_traffic_source"] or {}
    return {
        "timestamp": int(row["event_timestamp"]),  # type: ignore[dict-item]
        "event_name": row["event_name"],
        "anonymous_id": row["user_pseudo_id"],
        "source": collected.get("manual_source"),
        "medium": collected.get("manual_medium"),
        "country": row["geo"]["country"],
        "device_type": row["device"]["category"],
        "browser": first(at(row["device"], "web_info", "browser"), row["device"].get("browser")),
        "os": row["device"]["operating_system"],
        "path": path_of(found.get("page_location")),
    }


def snowplow_rows(file: Path) -> Iterator[Row]:
    """The rows of enriched events, which have no header."""
    names = next(iter(delimited_names()))
    content = file.read_bytes()
    text = (gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content).decode()
    for line in text.splitlines():
        yield {name: value or None for name, value in zip(names, line.split("\t"), strict=True)}


def delimited_names() -> Iterator[list[str]]:
    """The names of Snowplow's 131 columns, from its own list of them."""
    with (EXPORTS / "snowplow" / "columns.txt").open() as stream:
        yield stream.read().split()


def snowplow(row: Row) -> Event:
    """An event of Snowplow."""
    return {
        "timestamp": row["derived_tstamp"] or row["collector_tstamp"],
        "event_name": row["event_name"] or row["event"],
        "anonymous_id": row["domain_userid"] or row["network_userid"],
        "source": row["mkt_source"] or row["refr_source"],
        "medium": row["mkt_medium"] or row["refr_medium"],
        "country": row["geo_country"],
        "device_type": row["dvce_type"] and row["dvce_type"].lower(),
        "browser": row["br_family"],
        "os": row["os_family"],
        "path": row["page_urlpath"],
    }


def cloudfront_rows(file: Path) -> Iterator[Row]:
    """The rows of standard logs, whose names stand behind a mark; or JSON lines."""
    if file.suffix == ".json":
        yield from ({name: None if one == "-" else one for name, one in row.items()} for row in lines(file))
        return
    names: list[str] = []
    for line in gzip.decompress(file.read_bytes()).decode().splitlines():
        if line.startswith("#Fields:"):
            names = line.split()[1:]
        elif not line.startswith("#"):
            yield {name: None if value == "-" else value for name, value in zip(names, line.split("\t"), strict=True)}


def cloudfront(row: Row) -> Event:
    """A request to CloudFront."""
    facts = agent(row["cs(User-Agent)"].replace("%20", " "))
    return {
        "timestamp": row.get("timestamp(ms)") or f"{row['date']} {row['time']}",
        "event_name": "request",
        "anonymous_id": row["c-ip"],
        "source": utm(row["cs-uri-query"], "source"),
        "medium": utm(row["cs-uri-query"], "medium"),
        "country": row.get("c-country"),
        "device_type": "desktop",
        "path": row["cs-uri-stem"],
        **facts,
    }


Read = Callable[[Path], Iterable[Row]]
Make = Callable[[Row], Event]
# By name: the files below its folder, how plain Python reads their rows, and what it makes of one.
SAMPLES: list[tuple[str, str, Read, Make]] = [
    ("goatcounter", "export.csv", delimited, goatcounter),
    ("umami", "website_event.csv", delimited, umami),
    ("simpleanalytics", "pageviews.csv", delimited, simpleanalytics),
    ("vercel", "drain.ndjson", lines, vercel),
    ("segment", "warehouse", lambda file: only_events(delimited(file)), segment),
    ("millimetric", "query.json", lambda file: json.loads(file.read_text())["rows"], millimetric),
    ("snowplow", "part-00000.tsv", snowplow_rows, snowplow),
    ("segment", "segment-logs", lambda file: only_events(lines(file)), segment),
    ("rudderstack", "rudder-logs", lambda file: only_events(lines(file)), segment),
    ("posthog", "events.jsonl", lines, posthog),
    ("posthog", "events.csv", delimited, posthog),
    ("posthog", "2026-05-01_events", lambda file: pl.read_parquet(file).to_dicts(), posthog),
    ("mixpanel", "export.txt", lines, mixpanel),
    ("amplitude", "123456", lines, amplitude),
    ("ga4", "events_20260501.json", lines, ga4),
    ("ga4", "bq-export-000000000000.json.gz", lines, ga4),
    ("ga4", "events_20260501.parquet", lambda file: pl.read_parquet(file).to_dicts(), ga4),
    ("snowplow", "enriched", snowplow_rows, snowplow),
    ("snowplow", "with-header.tsv", lambda file: delimited(file, "\t"), snowplow),
    ("cloudflare", "unixnano.log", lines, cloudflare),
    ("cloudfront", ".", cloudfront_rows, cloudfront),
]


CASES = [pytest.param(*one, id=f"{one[0]}-{one[1]}") for one in SAMPLES]


def events_of(folder: Path, read: Read, make: Make) -> list[Event]:
    """The events of all files of a sample, as plain Python makes them."""
    found = sorted(folder.rglob("*")) if folder.is_dir() else [folder]
    data = (file for file in found if file.is_file() and not file.name.endswith("_manifest.json"))
    return [make(row) for file in data for row in read(file)]


def test_an_access_log_is_asked_as_it_comes(ask: Ask, tmp_path: Path) -> None:
    """A web server's log is requests by address; countries need a database of addresses, and an import has them all."""
    log = EXPORTS / "combined" / "access.log"

    def asked(*options: str) -> list[dict[str, Any]]:
        return ask(log, "--schema", "combined", *options).rows

    assert asked("--group-by", "event_name,source,medium") == [
        {"event_name": "request", "source": None, "medium": None, "value": 2},
        {"event_name": "request", "source": "google", "medium": "cpc", "value": 1},
    ]
    assert {row["path"]: row["value"] for row in asked("--group-by", "path")} == {"/a": 1, "/b": 1, None: 1}
    assert counted(asked("--group-by", "device_type,browser,os"), ("device_type", "browser", "os")) == {
        ("desktop", "Chrome", "Mac OS X"): 1,
        ("mobile", "Mobile Safari", "iOS"): 1,
        (None, None, None): 1,
    }
    assert asked("--interval", "hour") == [{"bucket": "2026-05-01 10:00:00", "value": 3}]
    assert asked("--metric", "uniques") == [{"value": 3}]
    assert ask(log, "--schema", "combined", "--group-by", "country").code == 2
    assert run(["import", str(log), "--schema", "combined", "--to", str(tmp_path / "store")]) == 2
    database = write_database(tmp_path / "countries.mmdb", "DE")
    by_country = ("--geo-database", str(database), "--group-by", "country")
    assert asked(*by_country) == [{"country": "DE", "value": 2}, {"country": None, "value": 1}]
    words = ["import", str(log), "--schema", "combined", "--geo-database", str(database)]
    assert run([*words, "--to", str(tmp_path / "store")]) == 0
    assert ask(tmp_path / "store", "--group-by", "country").rows == asked(*by_country)


def test_a_folder_of_an_export_is_asked_as_a_whole(ask: Ask) -> None:
    """A folder of all the files of an export, with what is no data among them, is one dataset."""
    assert ask(EXPORTS / "posthog", "--schema", "posthog").value == 9
    found = ask(EXPORTS / "segment", "--schema", "segment")
    assert (found.value, found.err) == (6, "warning: passed over 1 row that the schema says are no events\n")


@pytest.mark.parametrize(
    ("file", "tool", "name", "code"),
    [
        ("goatcounter/export.csv", "a GoatCounter", "goatcounter", 3),
        ("umami/website_event.csv", "an Umami", "umami", 3),
        ("simpleanalytics/pageviews.csv", "a Simple Analytics", "simpleanalytics", 3),
        ("vercel/drain.ndjson", "a Vercel Web Analytics", "vercel", 3),
        ("mixpanel/export.txt", "a Mixpanel", "mixpanel", 3),
        ("amplitude", "an Amplitude", "amplitude", 3),
        ("ga4/events_20260501.json", "a Google Analytics 4", "ga4", 3),
        ("ga4/events_20260501.parquet", "a Google Analytics 4", "ga4", 3),
        ("snowplow/part-00000.tsv", "a Snowplow", "snowplow", 3),
        ("cloudflare/unixnano.log", "a Cloudflare", "cloudflare", 3),
        ("cloudfront/v2.json", "a CloudFront", "cloudfront", 3),
        ("combined/access.log", "a nginx or Apache", "combined", 3),
        ("posthog/events.csv", "a PostHog", "posthog", 0),
        ("posthog/events.jsonl", "a PostHog", "posthog", 0),
        ("segment/warehouse/tracks.csv", "a RudderStack or Segment", "rudderstack", 0),
    ],
)
def test_an_export_is_recognized(file: str, tool: str, name: str, code: int, ask: Ask) -> None:
    """Where a question of an export fails, or reads a column that it lacks, a hint names the tool and the schema."""
    options = {".txt": ("--input-format", "ndjson"), ".log": ("--input-format", "csv")}.get(Path(file).suffix, ())
    options = ("--input-format", "ndjson") if name == "cloudflare" else options
    found = ask(EXPORTS / file, "--group-by", "country", *options)
    assert found.code == code
    assert f"this looks like {tool} export: --schema {name}\n" in found.err
    assert ask(EXPORTS / file, "--group-by", "event_name", "--schema", name).code == 0


def test_what_is_no_export_is_not_taken_for_one(ask: Ask, tmp_path: Path) -> None:
    """A file of other events is not said to be an export, though it lacks a column."""
    (tmp_path / "a.csv").write_text("timestamp,event,session_id,utm_source\n2026-05-01,a,b,c\n")
    assert ask("a.csv", "--group-by", "country").err == ""


def instant(value: object) -> datetime:
    """The instant that a timestamp names: an epoch of any unit, or ISO 8601."""
    if isinstance(value, int) or str(value).isdigit():
        digits = str(value)
        micros = int(digits) * 10 ** max(0, 16 - len(digits)) // 10 ** max(0, len(digits) - 16)
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
    found = datetime.fromisoformat(str(value).removesuffix(" UTC"))
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)


def counted(rows: Iterable[Row], by: Iterable[str]) -> Counter[tuple[str | None, ...]]:
    """The values of an answer, by the values of its columns."""
    return Counter({tuple(row[name] for name in by): row["value"] for row in rows})


@pytest.mark.parametrize(("name", "files", "read", "make"), CASES)
def test_an_export_is_asked_as_it_comes(name: str, files: str, read: Read, make: Make, ask: Ask) -> None:
    """Every question of a known export is answered by one command, and as its documentation says."""
    events = events_of(EXPORTS / name / files, read, make)
    assert events

    def asked(*options: str) -> list[dict[str, Any]]:
        return ask(EXPORTS / name / files, "--schema", name, *options).rows

    for columns in QUESTIONS:
        expected = Counter(tuple(event.get(column) for column in columns) for event in events)
        assert counted(asked("--group-by", ",".join(columns)), columns) == expected, columns
    days = Counter(instant(event["timestamp"]).strftime("%Y-%m-%d 00:00:00") for event in events)
    assert {row["bucket"]: row["value"] for row in asked("--interval", "day")} == days
    assert asked("--metric", "uniques") == [{"value": len({str(event["anonymous_id"]) for event in events})}]


@pytest.mark.parametrize(("name", "files", "read", "make"), CASES)
def test_a_store_is_asked_without_the_schema(
    name: str, files: str, read: Read, make: Make, ask: Ask, tmp_path: Path
) -> None:
    """An import keeps what the schema makes of an export: the store gives the same answers, and needs no schema."""
    del read, make
    export = EXPORTS / name / files
    assert run(["import", str(export), "--schema", name, "--to", str(tmp_path / "store")]) == 0
    for columns in QUESTIONS:
        group_by = ("--group-by", ",".join(columns), "--interval", "hour")
        assert ask(tmp_path / "store", *group_by).out == ask(export, "--schema", name, *group_by).out
