"""What each step of a schema makes of text, held against plain Python and against data made for it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, unquote_plus, urlencode

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from ua_parser import parse

from mmstats.cli import run
from tests.addresses import write_database
from tests.conftest import Ask, Ran

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/115.0.0.0 Safari/537.36"
)
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 16_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.1 Mobile/15E148 Safari/604.1"  # noqa: E501
# Characters that mean something in a URL, and some that do not.
TEXTS = st.text(st.sampled_from("ab:/?#&=+%25@[].-_ é\n"), max_size=24)

again = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)


@pytest.fixture
def made(ask: Ask, tmp_path: Path) -> Any:
    """What a derivation, in TOML, makes of each text of a column."""

    def made(derivation: str, texts: list[str | None], *options: str) -> list[str | None]:
        found = asked(derivation, texts, *options)
        by_row = {row["event_name"]: row["path"] for row in found.rows}
        return [by_row[str(place)] for place in range(len(texts))]

    def asked(derivation: str, texts: list[str | None], *options: str) -> Ran:
        rows = [{"t": "2026-05-04", "n": place, "x": text} for place, text in enumerate(texts)]
        (tmp_path / "a.ndjson").write_text("".join(json.dumps(row) + "\n" for row in rows))
        schema = f'[columns]\ntimestamp = "t"\nevent_name = "n"\npath = {derivation}\n'
        (tmp_path / "a.toml").write_text(schema, encoding="utf-8")
        return ask("a.ndjson", "--schema", "a.toml", "--group-by", "event_name,path", "--limit", "1000", *options)

    made.asked = asked  # type: ignore[attr-defined]
    return made


def query_value(text: str, key: str) -> str | None:
    """The first value of a key in a URL or a query, as the contract says."""
    text = text.partition("#")[0]
    scheme = text.partition("://")[0]
    is_scheme = scheme[:1].isalpha() and scheme.isascii() and all(one.isalnum() or one in "+.-" for one in scheme)
    before, mark, behind = text.partition("?")
    if text.startswith("/") or (is_scheme and "://" in text):
        query = behind
    else:
        query = behind if mark and "=" not in before and "&" not in before else text
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if unquote_plus(name) == key:
            return unquote_plus(value) or None
    return None


@again
@given(st.lists(TEXTS, min_size=1, max_size=20))
@example(
    ["?a=1&b=2", "a=&a=2", "a", "a&a=3", "%61=4", "https://b/?a=x+y%2Bz#?a=5", "https://a=1&a=2", "b=/?a=6", "c?a=7"]
)
def test_query_takes_the_first_value(made: Any, texts: list[str]) -> None:
    """The first value of a key in a URL or a query, percent-decoded, `+` a blank; an empty one is null."""
    assert made('{ from = "x", query = "a" }', texts) == [query_value(text, "a") for text in texts]


@again
@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=8), st.text(max_size=8))
def test_query_reads_what_libraries_write(made: Any, key: str, value: str) -> None:
    """A parameter that a library has encoded is read back, whatever its key is called."""
    query = urlencode({"other": "x", key: value, "last": "y"} if key not in ("other", "last") else {key: value})
    told = json.dumps(key, ensure_ascii=False)
    urls: list[str | None] = [f"https://example.com/a?{query}#b", query, f"/a?{query}", None]
    assert made(f'{{ from = "x", query = {told} }}', urls) == [value or None] * 3 + [None]


@pytest.mark.parametrize(
    ("url", "path", "host"),
    [
        ("https://example.com", "/", "example.com"),
        ("https://example.com?a=/b", "/", "example.com"),
        ("https://example.com#/b", "/", "example.com"),
        ("https://u:p@Example.com:8080/a%20b/?c#d", "/a%20b/", "Example.com"),
        ("https://u@v@example.com/a", "/a", "example.com"),
        ("http://[::1]:80/a", "/a", "[::1]"),
        ("file:///a/b", "/a/b", None),
        ("android-app://com.example/a", "/a", "com.example"),
        ("/a/b?c#d", "/a/b", None),
        ("/", "/", None),
        ("//example.com/a", "//example.com/a", None),
        ("example.com/a", None, None),
        ("mailto:a@example.com", None, None),
        ("*", None, None),
        ("", None, None),
        (None, None, None),
    ],
)
def test_parts_of_a_url(made: Any, url: str | None, path: str | None, host: str | None) -> None:
    """The path of a URL as it is written, and its host; null of what is neither a URL nor a path."""
    assert made('{ from = "x", url = "path" }', [url]) == [path]
    assert made('{ from = "x", url = "host" }', [url]) == [host]


@again
@given(st.lists(TEXTS, min_size=1, max_size=20))
def test_percent_is_decoded_at_most_twice(made: Any, texts: list[str]) -> None:
    """A text that was encoded once or twice is decoded, one that was not stays as it is."""
    whole = {"from": "x", "decode": "percent"}
    assert made(toml(whole), texts) == [unquote(unquote(text)) for text in texts]
    assert made(toml(whole), [quote(quote(text)) for text in texts if "%" not in text] or ["a"]) == (
        [text for text in texts if "%" not in text] or ["a"]
    )
    assert made(toml(whole), [quote(quote(quote("a b")))]) == ["a%20b"]


def toml(table: Mapping[str, object]) -> str:
    """An inline table."""
    return "{ " + ", ".join(f"{key} = {json.dumps(value)}" for key, value in table.items()) + " }"


@pytest.mark.parametrize(
    ("derivation", "text", "expected"),
    [
        ('{ from = "x", lower = true }', "ÄB", "äb"),
        ('{ from = "x", upper = true }', "us", "US"),
        ('{ from = "x", values = { "1" = "pageview" } }', "1", "pageview"),
        ('{ from = "x", values = { "1" = "pageview" } }', "2", None),
        ('{ from = "x", lower = true, values = { "computer" = "desktop" } }', "Computer", "desktop"),
        ('{ join = ["t", "x"] }', "10:00", "2026-05-04 10:00"),
        ('{ join = ["t", "x"] }', None, None),
        ('{ join = ["t", "absent"] }', "a", None),
        ('{ constant = "a" }', None, "a"),
        ('["absent", "x", { constant = "b" }]', None, "b"),
        ('["absent", "x", { constant = "b" }]', "a", "a"),
        ('{ from = ["absent", { from = "x", url = "path" }], upper = true }', "https://a.example/b", "/B"),
    ],
)
def test_steps(made: Any, derivation: str, text: str | None, expected: str | None) -> None:
    """A column is what its derivation says."""
    assert made(derivation, [text]) == [expected]


@pytest.mark.parametrize(
    ("agent", "device"),
    [
        (CHROME, "desktop"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0", "desktop"),
        ("Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 Chrome/115.0.0.0 Safari/537.36", "desktop"),
        ("Lynx/2.9.0", "desktop"),
        (PHONE, "mobile"),
        ("Mozilla/5.0 (Linux; Android 13; Pixel 7) AppleWebKit/537.36 Chrome/115.0.0.0 Mobile Safari/537.36", "mobile"),
        ("Mozilla/5.0 (Mobile; Nokia_8110_4G; rv:48.0) Gecko/48.0 Firefox/48.0 KAIOS/2.5", "mobile"),
        ("Mozilla/5.0 (Linux; Android 13; SM-X700) AppleWebKit/537.36 Chrome/115.0.0.0 Safari/537.36", "tablet"),
        ("Mozilla/5.0 (iPad; CPU OS 16_5 like Mac OS X) AppleWebKit/605.1.15 Version/16.5 Mobile/15E148", "tablet"),
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "bot"),
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 HeadlessChrome/115.0 Safari/537.36", "bot"),
        ("curl/8.0.1", "bot"),
        ("python-requests/2.31.0", "bot"),
        ("Go-http-client/1.1", "bot"),
        ("HTTPie/3.2", "bot"),
        ("Mozilla/5.0 (PlayStation 4 3.11) AppleWebKit/537.73 (KHTML, like Gecko)", "other"),
        ("Mozilla/5.0 (SMART-TV; Linux; Tizen 5.0) AppleWebKit/537.36 SamsungBrowser/2.2 Safari/537.36", "other"),
        ("what is this", None),
        ("", None),
        (None, None),
    ],
)
def test_agents(made: Any, agent: str | None, device: str | None) -> None:
    """Browser and system are the library's families; the kind of device is ours; what is unknown is null."""
    found = parse(agent or "")
    assert made('{ from = "x", agent = "device_type" }', [agent, CHROME]) == [device, "desktop"]
    assert made('{ from = "x", agent = "browser" }', [agent]) == [found.user_agent and found.user_agent.family]
    assert made('{ from = "x", agent = "os" }', [agent]) == [found.os and found.os.family]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A database of addresses, of two countries and of a place that is in none."""
    return write_database(tmp_path / "countries.mmdb", "DE")


GEO = '{ from = "x", geo = "country" }'


def test_countries(made: Any, database: Path) -> None:
    """An address is in the country that the user's database says; what it does not say is null."""
    texts = ["203.0.113.9", "2001:db8::1", "192.0.2.1", "198.51.100.1", "unknown", "203.0.113.9:80", "", None]
    assert made(GEO, texts, "--geo-database", str(database)) == ["DE", "US", *[None] * 6]


def test_a_description_leaves_out_what_is_lacking(made: Any, capfd: pytest.CaptureFixture[str], database: Path) -> None:
    """Without a database a description leaves out the countries, and says so."""
    made.asked(GEO, ["203.0.113.9"])
    words = ["describe", "a.ndjson", "--schema", "a.toml", "--json"]
    assert run(words) == 0
    told = capfd.readouterr()
    assert told.err.startswith("warning: path is left out, since it needs a database of addresses: --geo-database")
    assert "path" in json.loads(told.out)["missing"]
    assert run([*words, "--geo-database", str(database)]) == 0
    told = capfd.readouterr()
    assert told.err == ""
    assert "path" in [use["column"] for use in json.loads(told.out)["columns"]]


def test_countries_need_a_database(made: Any, database: Path, monkeypatch: pytest.MonkeyPatch, ask: Ask) -> None:
    """Without a database a question that reads countries is refused, and any other is answered."""
    refused = made.asked(GEO, ["203.0.113.9"])
    assert (refused.code, refused.error) == (2, "--schema needs a database of addresses for path")
    assert refused.err.endswith("hint: --geo-database FILE.mmdb names yours, or MMSTATS_GEO_DATABASE\n")
    assert ask("a.ndjson", "--schema", "a.toml", "--group-by", "event_name").code == 0
    monkeypatch.setenv("MMSTATS_GEO_DATABASE", str(database))
    assert made(GEO, ["203.0.113.9"]) == ["DE"]


@pytest.mark.parametrize("content", [None, b"", b"no database"])
def test_a_database_that_is_none(made: Any, tmp_path: Path, content: bytes | None) -> None:
    """A database that is not there, or is none, is named."""
    if content is not None:
        (tmp_path / "a.mmdb").write_bytes(content)
    refused = made.asked(GEO, ["203.0.113.9"], "--geo-database", "a.mmdb")
    assert refused.code == 2
    assert refused.error.startswith("a.mmdb: ")


@pytest.mark.usefixtures("later")
def test_another_database_is_another_answer(
    made: Any, database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is kept of answers and files knows which database and which schema they were made with."""
    monkeypatch.setenv("MMSTATS_CACHE_DIR", str(tmp_path / "cache"))
    options = ("--geo-database", str(database))
    assert made(GEO, ["203.0.113.9"], *options) == ["DE"]
    other = write_database(tmp_path / "other.mmdb", "FR")
    assert made(GEO, ["203.0.113.9"], "--geo-database", str(other)) == ["FR"]
    assert made('{ from = "x", upper = true }', ["203.0.113.9"], *options) == ["203.0.113.9"]


@pytest.mark.parametrize(
    ("package", "step", "extra"), [("ua_parser", "agent", "ua-parser"), ("maxminddb", "geo", "maxminddb")]
)
def test_an_extra_that_is_lacking(
    made: Any, database: Path, monkeypatch: pytest.MonkeyPatch, package: str, step: str, extra: str
) -> None:
    """Without its library a question that looks something up is refused, and told what to install."""
    from mmstats.schemas import lookups

    monkeypatch.setattr(lookups, "find_spec", lambda name: None if name == package else object())
    word = {"agent": "os", "geo": "country"}[step]
    refused = made.asked(f'{{ from = "x", {step} = "{word}" }}', ["a"], "--geo-database", str(database))
    assert refused.code == 2
    assert f"needs the package {extra} for path" in refused.error
    assert f"hint: pip install '{extra}" in refused.err
