"""Stores below a prefix of an object store: what an import leaves there, however it ends and whoever else imports."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from mmstats.cli import run
from mmstats.dataset import Dataset
from mmstats.engines.local.engine import answer
from mmstats.errors import OutputError, Unreadable
from mmstats.limits import Limits
from mmstats.store.importing import Imported, import_events
from tests.importing import BY_PATH, answered, events, manifest, put, signed
from tests.proxy import proxied
from tests.seaweed import Seaweed, known
from tests.test_store_crash import ROOT

_numbers = count()
LIMITS = Limits()


@pytest.fixture(autouse=True)
def environment(s3: Seaweed) -> Iterator[None]:
    """The environment names the server and its keys."""
    with known(s3):
        yield


@pytest.fixture
def store(s3: Seaweed) -> str:
    """The location of a store that is not there yet."""
    return f"s3://{s3.bucket}/store{next(_numbers)}"


def take(store: str, *sources: Path | str, limits: Limits = LIMITS) -> Imported:
    """Import sources into a store."""
    return import_events(Dataset(tuple(map(str, sources)), limits=limits), store)


def asked(location: str) -> str:
    """The bytes of an answer of a location."""
    return answer(BY_PATH, Dataset((location,))).to_json()


def manifest_of(s3: Seaweed, store: str) -> dict[str, Any]:
    """The manifest as it is written in the bucket."""
    key = store.removeprefix(f"s3://{s3.bucket}/") + "/_mmstats.json"
    written: dict[str, Any] = json.loads(s3.client.get_object(Bucket=s3.bucket, Key=key)["Body"].read())
    return written


def files_of(s3: Seaweed, store: str) -> list[str]:
    """The paths of the files that are in a store, as its manifest lists them."""
    return [f"day={file['day']}/{file['name']}" for file in manifest_of(s3, store)["files"]]


def superseded_in(s3: Seaweed, store: str) -> dict[str, int | None]:
    """Since when files are superseded, by path, as the manifest says."""
    superseded: dict[str, int | None] = manifest_of(s3, store).get("superseded", {})
    return superseded


def objects_of(s3: Seaweed, store: str) -> set[str]:
    """The objects of a store, by their names in it."""
    prefix = store.removeprefix(f"s3://{s3.bucket}/") + "/"
    return {key.removeprefix(prefix) for key in s3.keys(prefix)}


def test_a_store_in_a_bucket_answers_as_one_on_disk(s3: Seaweed, store: str, tmp_path: Path) -> None:
    """The same imports give the same answers, sources and rows; what has changed replaces what it gave before."""
    sources = [put(tmp_path / "in" / f"{name}.ndjson", events(name, 1, 2, 3)) for name in "abc"]
    for step in range(3):
        if step == 1:
            put(sources[0], events("changed", 2, 4, rows=5))
        far, here = take(store, *sources), take(str(tmp_path / "store"), *sources)
        counts = [(one.added, one.replaced, one.unchanged, one.rows) for one in (far, here)]
        assert counts[0] == counts[1]
        assert asked(store) == asked(f"{store}/") == answered(tmp_path / "store") == answered(tmp_path / "in")
    assert manifest_of(s3, store)["sources"] == [asdict(source) for source in far.manifest.sources]
    assert len(superseded_in(s3, store)) == len(manifest(tmp_path / "store")["superseded"]) > 0


def test_days_of_many_files_are_merged_there(s3: Seaweed, store: str, tmp_path: Path) -> None:
    """Small files of a day become one, read from the bucket and written to it."""
    sources = []
    for number in range(6):
        sources.append(put(tmp_path / "in" / f"{number}.ndjson", events(str(number), 1)))
        take(store, sources[-1])
    assert len(files_of(s3, store)) < 4
    assert asked(store) == answered(tmp_path / "in")


def test_from_a_bucket_into_a_store(s3: Seaweed, store: str, tmp_path: Path) -> None:
    """Objects are sources, known by their location and tag, so that unchanged ones are not even fetched."""
    put(tmp_path / "in" / "a.csv", events("a", 1, 2))
    put(tmp_path / "in" / "b.parquet", events("b", 2))
    there = s3.upload(tmp_path / "in", store.rpartition("/")[2] + "-in")
    for to in (store, str(tmp_path / "store")):
        assert (take(to, there).added, take(to, there).unchanged) == (2, 2)
        assert asked(to) == answered(tmp_path / "in")
    s3.put(f"{store.rpartition('/')[2]}-in/a.csv", put(tmp_path / "in" / "a.csv", events("c", 5)).read_bytes())
    assert take(store, there).replaced == 1
    assert asked(store) == answered(tmp_path / "in")


def test_a_store_is_known_within_a_prefix(s3: Seaweed, store: str, tmp_path: Path) -> None:
    """A prefix above a store takes it up by its manifest, beside other objects; what it does not list is not there."""
    source = put(tmp_path / "in" / "a.ndjson", events("a", 1))
    take(f"{store}/below", source)
    s3.put(f"{store.rpartition('/')[2]}/below/day=2026-05-01/{'0' * 16}.parquet", b"left behind")
    s3.put(f"{store.rpartition('/')[2]}/b.ndjson", put(tmp_path / "in" / "b.ndjson", events("b", 1)).read_bytes())
    assert asked(store) == answered(tmp_path / "in")
    assert asked(f"{store}/bel*") == answered(source)
    with pytest.raises(Unreadable, match="cannot be read as Parquet"):
        asked(f"{store}/below/day=*/*.parquet")


def test_a_prefix_with_other_objects_is_no_place_for_a_store(s3: Seaweed, store: str, tmp_path: Path) -> None:
    """Nothing is written where other objects lie."""
    s3.put(f"{store.rpartition('/')[2]}/x.txt", b"text")
    with pytest.raises(OutputError, match="holds other objects and is no store"):
        take(store, put(tmp_path / "a.ndjson", events("a", 1)))
    assert objects_of(s3, store) == {"x.txt"}


@pytest.mark.parametrize("end", ["", "/"])
def test_an_object_that_stands_for_the_folder_is_no_other(s3: Seaweed, store: str, tmp_path: Path, end: str) -> None:
    """Consoles make one of no bytes for a new folder: a store can be there, and is read and imported into again."""
    s3.put(f"{store.rpartition('/')[2]}/", b"")
    source = put(tmp_path / "a.ndjson", events("a", 1))
    assert [take(f"{store}{end}", source).added for _ in range(2)] == [1, 0]
    assert asked(store) == asked(f"{store}/") == answered(source)


@pytest.mark.usefixtures("ask")
def test_a_store_that_cannot_be_written_ends_with_5(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Exit code 5, by the location that was named."""
    source = put(tmp_path / "a.ndjson", events("a", 1))
    faults = {"s3://nowhere/store": "there is no such bucket", "https://host/x": "is no place for a store"}
    for to, why in faults.items():
        assert run(["import", str(source), "--to", to]) == 5
        assert capfd.readouterr().err.startswith(f"error: {to}: {why}\nhint: ")


def test_imports_at_once_lose_nothing(s3: Seaweed, store: str, tmp_path: Path) -> None:
    """Whoever comes second begins anew from what the first has made."""
    sources = [put(tmp_path / "in" / f"{name}.ndjson", events(name, 1, 2)) for name in "abcde"]
    with ThreadPoolExecutor(5) as threads:
        done = list(threads.map(lambda source: take(store, source), sources))
    assert [one.added for one in done] == [1] * 5
    assert asked(store) == answered(tmp_path / "in")
    ids = [source["id"] for source in manifest_of(s3, store)["sources"]]
    assert len(set(ids)) == 5


KILLING = """
import os, signal, sys
left = int(sys.argv.pop(1))
import obstore
def killing(step):
    def stepped(*arguments, **options):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        done = step(*arguments, **options)
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return done
    return stepped
obstore.put, obstore.delete = killing(obstore.put), killing(obstore.delete)
import mmstats.cli
sys.exit(mmstats.cli.run(sys.argv[1:]))
"""


def test_an_import_that_is_killed_leaves_the_old_state_or_the_new(s3: Seaweed, store: str, tmp_path: Path) -> None:
    """Killed before or after any request that writes, the store is what it was or what it is to be."""
    old, new = (
        put(tmp_path / "in" / "a.ndjson", events("a", 1, 2)),
        put(tmp_path / "in" / "b.ndjson", events("b", 2, 3)),
    )
    empty, seen = '{"metric":"count","rows":[]}', []
    states = [empty, answered(old), answered(tmp_path / "in")]
    for before, source in enumerate((old, new)):
        for step in count(1):
            command = [sys.executable, "-c", KILLING, str(step), "import", str(source), "--to", store]
            code = subprocess.run(
                command,
                env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
                stderr=subprocess.DEVNULL,
                check=False,
            ).returncode
            now = asked(store) if objects_of(s3, store) else empty
            assert now in states[before : before + 2]
            seen.append(code)
            if now == states[before + 1]:
                break
    assert seen.count(-9) >= 6
    assert take(store, old, new).unchanged == 2


def test_what_belongs_to_no_state_is_removed_later(
    s3: Seaweed, store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not while somebody may still read or write it, and nothing that is not the store's own is ever removed."""
    source = put(tmp_path / "a.ndjson", events("a", 1))
    take(store, source)
    foreign = {"notes.txt", "day=2026-05-01/mine.parquet", "day=x/0123456789abcdef.parquet"}
    left = {f"day=2026-05-01/{'0' * 16}.parquet"}
    for name in foreign | left:
        s3.put(f"{store.rpartition('/')[2]}/{name}", b"x")
    own = {*files_of(s3, store), "_mmstats.json"}
    take(store, source)
    assert objects_of(s3, store) == own | foreign | left

    with proxied(s3.port) as proxy:
        proxy.rewrite = two_days_ago
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", proxy.endpoint)
        take(store, source)
    assert objects_of(s3, store) == own | foreign


def two_days_ago(answer: bytes) -> bytes:
    """What a store would have answered if all that was written today or yesterday had been so two days before."""
    now = datetime.now(UTC)
    for day in (now, now - timedelta(days=1)):
        for form in ("%a, %d %b %Y", "%Y-%m-%dT"):
            answer = answer.replace(day.strftime(form).encode(), (day - timedelta(days=2)).strftime(form).encode())
    return answer


def dated(s3: Seaweed, store: str, hours: float) -> dict[str, int | None]:
    """What the manifest tells of superseded files, once it tells that they all were so many hours ago."""
    then = int(datetime.now(UTC).timestamp() - hours * 3600)
    changed: dict[str, int | None] = dict.fromkeys(superseded_in(s3, store), then)
    written = {**manifest_of(s3, store), "superseded": changed}
    s3.put(f"{store.rpartition('/')[2]}/_mmstats.json", signed(written))
    return changed


def test_files_of_a_store_that_changes_often_are_removed(s3: Seaweed, store: str, tmp_path: Path) -> None:
    """An hour after they were superseded, however often and lately something else was imported."""
    sources = [put(tmp_path / "in" / f"{name}.ndjson", events(name, day)) for day, name in enumerate("ab", 1)]
    take(store, *sources)
    (old,) = (path for path in files_of(s3, store) if path.startswith("day=2026-05-01/"))
    put(sources[0], events("changed", 1))
    take(store, *sources)
    assert superseded_in(s3, store) == {old: None}
    take(store, put(tmp_path / "in" / "c.ndjson", events("c", 3)))
    since = superseded_in(s3, store)[old]
    assert since is not None
    assert abs(since - datetime.now(UTC).timestamp()) < 600
    for hours, there in ((0.9, True), (1.1, False)):
        dated(s3, store, hours)
        take(store, *sources)
        assert (old in objects_of(s3, store)) == there
    take(store, put(tmp_path / "in" / "d.ndjson", events("d", 4)))
    assert not superseded_in(s3, store)
    assert asked(store) == answered(tmp_path / "in")


def test_what_no_manifest_tells_of_is_taken_for_superseded(s3: Seaweed, store: str, tmp_path: Path) -> None:
    """What a killed import or an older mmstats has left there is removed too, if it is no import's at this moment."""
    source = put(tmp_path / "a.ndjson", events("a", 1))
    take(store, source)
    put(source, events("b", 1))
    take(store, source)
    left = f"day=2026-05-01/{'0' * 16}.parquet"
    s3.put(f"{store.rpartition('/')[2]}/{left}", b"x")
    (due,) = dated(s3, store, 2)
    put(source, events("c", 1))
    take(store, source)
    assert due not in objects_of(s3, store)
    assert left not in superseded_in(s3, store)
    (due,) = dated(s3, store, 2)
    put(source, events("d", 1))
    take(store, source, limits=Limits(abandoned_seconds=-600))
    assert superseded_in(s3, store).keys() > {left}
    assert left in objects_of(s3, store)


def test_an_import_is_overtaken_so_long_that_its_files_are_gone(
    s3: Seaweed, store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It begins anew, instead of telling that files of the store are lost."""
    one, other = (put(tmp_path / "in" / f"{name}.ndjson", events(name, 1)) for name in "ab")
    take(store, one, other)
    put(one, events("d", 1))

    def overtake(line: str) -> None:
        if ".parquet" not in line:
            return
        proxy.before = lambda _: None
        put(other, events("c", 1))
        take(store, other)
        for path in superseded_in(s3, store):
            s3.client.delete_object(Bucket=s3.bucket, Key=f"{store.rpartition('/')[2]}/{path}")
        overtaken.append(line)

    overtaken: list[str] = []
    with proxied(s3.port) as proxy:
        proxy.before = overtake
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", proxy.endpoint)
        assert take(store, one).replaced == 1
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3.endpoint)
    assert overtaken
    assert asked(store) == answered(tmp_path / "in")


def test_damage_is_found_there(s3: Seaweed, store: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A manifest is checked always, files by `describe --check` and before an import merges them with others."""
    for name in "abc":
        take(store, put(tmp_path / f"{name}.ndjson", events(name, 1)))
    prefix = store.rpartition("/")[2]
    for path in (files_of(s3, store)[0], "_mmstats.json"):
        key = f"{prefix}/{path}"
        sound = s3.client.get_object(Bucket=s3.bucket, Key=key)["Body"].read()
        s3.put(key, sound[:200] + bytes([sound[200] ^ 1]) + sound[201:])
        with pytest.raises(Unreadable, match=f"^{re.escape(store)}/{path}: damaged: ") as unreadable:
            take(store, put(tmp_path / "d.ndjson", events("d", 1)))
        assert unreadable.value.hint == "restore it, or import the sources into a new store"
        checked = run(["describe", "--check", "--data", store])
        assert (checked, "damaged: its" in "".join(capfd.readouterr())) == (1 if "=" in path else 4, True)
        s3.put(key, sound)
    assert take(store, tmp_path / "d.ndjson").added == 1
    assert asked(store) == answered(tmp_path)


def test_stores_of_several_places_are_asked_together(store: str, tmp_path: Path) -> None:
    """One on disk and one in a bucket, in either order, are read each from where it is."""
    here = str(tmp_path / "store")
    for to in (here, store):
        take(to, put(tmp_path / "a.ndjson", events("a", 7)))
    for locations in ((here, store), (store, here)):
        assert (
            answer(BY_PATH, Dataset(locations)).rows[0]["value"]
            == 2 * answer(BY_PATH, Dataset((here,))).rows[0]["value"]
        )


def test_a_store_is_asked_while_an_import_ends(
    s3: Seaweed, store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The manifest may be replaced between the listing and its being read: what it says then is answered."""
    take(store, put(tmp_path / "a.ndjson", events("a", 5)))

    def replace_it(line: str) -> None:
        if "_mmstats.json" in line:
            proxy.before = lambda _: None
            take(store, put(tmp_path / "b.ndjson", events("b", 5)))

    with proxied(s3.port) as proxy:
        proxy.before = replace_it
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", proxy.endpoint)
        assert {row["path"] for row in answer(BY_PATH, Dataset((store,))).rows} == {"a", "b"}


def test_a_store_is_asked_again_when_its_files_are_gone(
    s3: Seaweed, store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A question so slow that imports have removed what it was to read answers from the manifest that is there then."""
    source = put(tmp_path / "a.ndjson", events("a", 5))
    take(store, source)

    def replace_them(line: str) -> None:
        if ".parquet" in line:
            proxy.before = lambda _: None
            put(source, events("b", 6, rows=3))
            take(store, source)
            for path in superseded_in(s3, store):
                s3.client.delete_object(Bucket=s3.bucket, Key=f"{store.rpartition('/')[2]}/{path}")

    with proxied(s3.port) as proxy:
        proxy.before = replace_them
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", proxy.endpoint)
        assert asked(store) == answered(source)


def test_a_damaged_manifest_is_refused(s3: Seaweed, store: str, tmp_path: Path) -> None:
    """Neither asked nor imported into, by its location."""
    s3.put(f"{store.rpartition('/')[2]}/_mmstats.json", b"{}")
    for act in (lambda: asked(store), lambda: take(store, put(tmp_path / "a.ndjson", events("a", 1)))):
        with pytest.raises(Unreadable, match=re.escape(f"{store}/_mmstats.json: not the manifest of a store")):
            act()


def test_a_file_that_a_store_has_lost_is_named(s3: Seaweed, store: str, tmp_path: Path) -> None:
    """An import that has to rewrite it says so, and leaves the store as it was."""
    source = put(tmp_path / "a.ndjson", events("a", 5))
    take(store, source, put(tmp_path / "b.ndjson", events("b", 5)))
    (lost,) = files_of(s3, store)
    s3.client.delete_object(Bucket=s3.bucket, Key=f"{store.rpartition('/')[2]}/{lost}")
    put(source, events("a", 6))
    with pytest.raises(Unreadable, match=re.escape(f"{store}/{lost}: there is no such object any more")):
        take(store, source)
