"""Tables of a lake in S3: found by their keys, read at their latest version, with the credentials of all else."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable, write_deltalake

from mmstats.dataset import Dataset
from mmstats.files.fingerprint import fingerprint
from tests.conftest import Ask, Ran
from tests.lake import counted, delta_counts, events, iceberg_catalog
from tests.objectserver import serving_objects
from tests.seaweed import ACCESS, SECRET, Seaweed, known

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

COUNTRIES = ["DE", "x y/%=ü+é", None, "FR"]
BY_COUNTRY = ("--group-by", "country")


@pytest.fixture
def store(s3: Seaweed) -> Iterator[Seaweed]:
    """The S3 server, which the environment names."""
    with known(s3):
        yield s3


def options(server: Seaweed) -> dict[str, str]:
    """How the library that writes a Delta table reaches the server."""
    keys = {"aws_access_key_id": ACCESS, "aws_secret_access_key": SECRET}
    return {"aws_endpoint": server.endpoint, "aws_region": "us-east-1", "allow_http": "true", **keys}


def properties(server: Seaweed) -> dict[str, str]:
    """How the library that writes an Iceberg table reaches the server."""
    keys = {"s3.access-key-id": ACCESS, "s3.secret-access-key": SECRET}
    return {"s3.endpoint": server.endpoint, "s3.region": "us-east-1", **keys}


def by_country(ran: Ran) -> Mapping[Any, int]:
    """The answer's values by country."""
    return {row["country"]: row["value"] for row in ran.rows}


def write_delta(server: Seaweed, name: str) -> str:
    """A Delta table with superseded files; its location."""
    location = f"s3://{server.bucket}/{name}"
    for _ in range(2):
        how: dict[str, Any] = {"mode": "append", "partition_by": ["country"], "storage_options": options(server)}
        write_deltalake(location, events(COUNTRIES), **how)
    DeltaTable(location, storage_options=options(server)).optimize.compact()
    return location


def test_a_delta_table_in_s3(ask: Ask, store: Seaweed) -> None:
    """A Delta table is read by its log, with keys that are encoded as the log has them."""
    location = write_delta(store, "lake one/delta")
    for named in (location, f"{location}/", f"s3://{store.bucket}/lake one", f"s3://{store.bucket}/lake*/del*"):
        assert (
            by_country(ask(named, *BY_COUNTRY)) == delta_counts(location, options(store)) == dict.fromkeys(COUNTRIES, 2)
        )
    DeltaTable(location, storage_options=options(store)).delete("country = 'FR'")
    assert by_country(ask(location, *BY_COUNTRY)) == dict.fromkeys(COUNTRIES[:3], 2)


def test_names_of_a_prefix(ask: Ask, store: Seaweed, tmp_path: Path) -> None:
    """A table is read from its own prefix, whatever that is called, and not from one of a name that is decoded."""
    write_deltalake(tmp_path / "table", events(COUNTRIES))
    other = store.upload(tmp_path / "table", "lake eight/p q")
    write_deltalake(tmp_path / "table", events(["DE"]), mode="overwrite")
    for name in ("100%", "a#b", "a?b", "é ü", "a+b&c=d"):
        assert ask(store.upload(tmp_path / "table", f"lake eight/{name}")).value == 1
    assert ask(other).value == len(COUNTRIES)
    refused = ask(store.upload(tmp_path / "table", "lake eight/p%20q"))
    assert (refused.code, "'%20'" in refused.error) == (4, True)


def test_an_iceberg_table_in_s3(ask: Ask, store: Seaweed) -> None:
    """An Iceberg table is read by its metadata, and so is one that says s3a:// of where it is."""
    with iceberg_catalog(f"s3://{store.bucket}/lake two", **properties(store)) as catalog:
        rows = events(COUNTRIES)
        table = catalog.create_table("web.events", schema=rows.schema)
        with table.update_spec() as spec:
            spec.add_identity("country")
        table.append(rows)
        table.overwrite(rows)
        table.append(rows)
        expected = counted(table.scan().to_arrow(), "country")
        assert by_country(ask(table.location(), *BY_COUNTRY)) == expected == dict.fromkeys(COUNTRIES, 2)
        other = catalog.create_table("web.other", rows.schema, location=f"s3a://{store.bucket}/lake two/other")
        other.append(rows)
        assert ask(f"s3://{store.bucket}/lake two/other").value == len(COUNTRIES)
        assert ask(f"s3://{store.bucket}/lake two").value == 3 * len(COUNTRIES)


def test_tables_beside_files_in_s3(ask: Ask, store: Seaweed) -> None:
    """Tables below a prefix are read by their logs, the files beside them as they are; an emptied table has none."""
    location = write_delta(store, "lake three/nested/delta")
    store.put("lake three/a.ndjson", b'{"timestamp":"2026-05-04","event_name":"visit"}\n')
    assert ask(f"s3://{store.bucket}/lake three/").value == 2 * len(COUNTRIES) + 1
    DeltaTable(location, storage_options=options(store)).delete()
    assert ask(f"s3://{store.bucket}/lake three/").value == 1
    assert ask(location).value == 0


def test_a_new_version_in_s3_is_noticed(store: Seaweed) -> None:
    """What is kept of a dataset is of one version of its tables."""
    location = write_delta(store, "lake four")
    before = fingerprint(Dataset((location,)))
    assert fingerprint(Dataset((location,))) == before
    DeltaTable(location, storage_options=options(store)).alter.set_table_description("the same files")
    assert fingerprint(Dataset((location,))).digest != before.digest


def test_files_in_s3_that_are_gone_since_the_log_was_read(
    ask: Ask, store: Seaweed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The question is asked once more, of the new version, where a vacuum has removed files of the old one."""
    location = write_delta(store, "lake five")
    original, waiting = DeltaTable.get_add_actions, [True]

    def found(table: DeltaTable, *arguments: Any, **more: Any) -> Any:
        actions = original(table, *arguments, **more)
        if waiting:
            waiting.clear()
            write_deltalake(location, events(["DE"]), mode="overwrite", storage_options=options(store))
            newest = DeltaTable(location, storage_options=options(store))
            newest.vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False)
        return actions

    monkeypatch.setattr(DeltaTable, "get_add_actions", found)
    assert by_country(ask(location, *BY_COUNTRY)) == {"DE": 1}


WRONG = {
    "secret key": ({"AWS_SECRET_ACCESS_KEY": "wrong"}, "the secret key is wrong"),
    "access key": ({"AWS_ACCESS_KEY_ID": "wrong"}, "does not know the access key"),
}


@pytest.mark.parametrize(("variables", "told"), WRONG.values(), ids=WRONG)
def test_a_table_in_s3_with_wrong_keys(ask: Ask, s3: Seaweed, variables: dict[str, str], told: str) -> None:
    """The store's refusal is told as for files, without what the library quotes."""
    with known(s3, **variables):
        refused = ask(f"s3://{s3.bucket}/lake six")
        assert (refused.code, told in refused.error) == (4, True)


def test_storage_options_reach_the_log(ask: Ask, s3: Seaweed, monkeypatch: pytest.MonkeyPatch) -> None:
    """The keys and the endpoint of `--storage-option` serve the log as they do the files, whatever the environment."""
    location = write_delta(s3, "lake seven")
    for name, value in {**s3.environment, "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1"}.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "of somebody else")
    given = {"endpoint": s3.endpoint, "access_key_id": ACCESS, "secret_access_key": SECRET}
    flags = [text for name, value in given.items() for text in ("--storage-option", f"{name}={value}")]
    assert by_country(ask(location, *BY_COUNTRY, *flags)) == dict.fromkeys(COUNTRIES, 2)


def test_a_store_that_refuses_the_log(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the store says when the library reads the log is told in one line, without the library's own text."""
    log = b'{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}'
    with serving_objects("bucket", {f"table/_delta_log/{0:020}.json": log}) as server:
        denied = "<Error><Code>AccessDenied</Code><Message>secret/text</Message></Error>"
        server.fault = lambda _, path: (403, "Forbidden", denied) if path.endswith(".json") else None
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
        refused = ask("s3://bucket/table", "--storage-option", f"endpoint={server.endpoint}")
    assert (refused.code, refused.error) == (4, "s3://bucket/table: access denied")
