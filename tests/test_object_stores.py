"""Object stores: the same bytes for every question as of the same files on disk, by a real S3 server."""

import gzip
import itertools
import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mmstats
from mmstats.dataset import Dataset
from mmstats.engines.local import describe
from mmstats.engines.local.engine import answer
from mmstats.errors import NotEvents
from mmstats.question.read import read_question
from tests.conftest import WRITERS, Ask, ndjson
from tests.drawn import Drawn, datasets, questions
from tests.objectserver import serving_objects
from tests.seaweed import Seaweed, known

ROWS = [
    {"timestamp": f"2026-05-{day:02}T12:00:00Z", "event_name": "e", "path": path, "anonymous_id": f"{day}{path}"}
    for day in (1, 2, 3)
    for path in ("/", "/ü", "007", "", None)
]
BY_PATH = read_question({"metric": ["uniques"], "group_by": ["path"], "interval": ["day"]})
ODD = (
    "a b.ndjson", "a%20b.ndjson", "100%.ndjson", "a+b.ndjson", "a#b.ndjson", "a?b.ndjson", "ü/日本.ndjson", "é.ndjson",
    "q'\"x.ndjson", "~.ndjson", "&=;:@!$,().ndjson", "{x}|^`<>.ndjson", "lead/ x.ndjson", "br[1].ndjson", "st*r.ndjson",
)  # fmt: skip
_numbers = itertools.count()


@pytest.fixture(autouse=True)
def environment(s3: Seaweed) -> Iterator[None]:
    """The environment names the server and its keys."""
    with known(s3):
        yield


@pytest.fixture
def prefix() -> str:
    """A prefix that no other test has."""
    return f"t{next(_numbers)}"


def zstd(content: bytes) -> bytes:
    """Bytes compressed by zstd."""
    return bytes(pa.Codec("zstd").compress(content, asbytes=True))


ALL = WRITERS | {
    "csv.zst": lambda rows: zstd(WRITERS["csv"](rows)),
    "tsv.gz": lambda rows: gzip.compress(WRITERS["tsv"](rows)),
    "json.zst": lambda rows: zstd(WRITERS["json"](rows)),
    "jsonl.zst": lambda rows: zstd(WRITERS["ndjson"](rows)),
}


@pytest.mark.parametrize("extension", ALL)
def test_every_format_and_compression_answers_as_on_disk(
    s3: Seaweed, prefix: str, tmp_path: Path, extension: str
) -> None:
    """A file of any format and compression has the same answer and description, one object or many."""
    for name, rows in {"one": ROWS, "two": ROWS[:4]}.items():
        (tmp_path / f"{name}.{extension}").write_bytes(ALL[extension](rows))
    there = s3.upload(tmp_path, prefix)
    assert mmstats.stats(there, group_by="path", interval="day") == mmstats.stats(
        tmp_path, group_by="path", interval="day"
    )
    one = f"{there}one.{extension}"
    assert answer(BY_PATH, Dataset((one,))) == answer(BY_PATH, Dataset((str(tmp_path / f"one.{extension}"),)))
    for look in (describe.describe, describe.check):
        here, far = look(Dataset((str(tmp_path),))), look(Dataset((there,)))
        assert (far.rows, far.bytes, far.columns, far.events, far.first) == (
            here.rows, here.bytes, here.columns, here.events, here.first,
        )  # fmt: skip


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=datasets(), asked=st.lists(questions(), min_size=4, max_size=6))
def test_any_question_of_any_events_answers_as_on_disk(s3: Seaweed, drawn: Drawn, asked: list) -> None:  # type: ignore[type-arg]
    """Whatever is asked of whatever files, their place does not show in the bytes."""
    with tempfile.TemporaryDirectory() as folder:
        drawn.write(Path(folder))
        there = s3.upload(Path(folder), f"drawn{next(_numbers)}")
        for query in asked:
            here, far = answer(query, Dataset((folder,))), answer(query, Dataset((there,)))
            assert far.to_json() == here.to_json()
            assert far.groups == here.groups


@pytest.mark.parametrize("name", ODD)
def test_a_key_may_hold_any_sign(s3: Seaweed, prefix: str, name: str) -> None:
    """A key is written in a location as the store lists it, whatever a URL would make of its signs."""
    for suffix in (".parquet", ".csv.gz", ""):
        rows = {".parquet": WRITERS["parquet"], ".csv.gz": WRITERS["csv.gz"], "": ndjson}[suffix](ROWS)
        key = name.removesuffix(".ndjson") + suffix if suffix else name
        location = s3.put(f"{prefix}/{key}", rows)
        assert mmstats.stats(location).rows == [{"value": len(ROWS)}]
    assert mmstats.stats(f"s3://{s3.bucket}/{prefix}/").rows == [{"value": 3 * len(ROWS)}]


def test_a_key_that_cannot_be_read_is_told_of(s3: Seaweed, prefix: str, ask: Ask) -> None:
    """Not passed over in silence, and no control character is shown."""
    location = s3.put(f"{prefix}/a\nb.ndjson", ndjson(ROWS))
    for asked in (location, f"s3://{s3.bucket}/{prefix}/", f"s3://{s3.bucket}/a//b.ndjson"):
        ran = ask(asked)
        assert (ran.code, ran.error.partition(": ")[2]) == (
            4, "a key with a control character, an empty level, . or .. cannot be read",
        )  # fmt: skip
    s3.client.delete_object(Bucket=s3.bucket, Key=f"{prefix}/a\nb.ndjson")


TREE = (
    "a.ndjson", "b.csv", "_c.ndjson", ".d.ndjson", "other.txt", "one/a.ndjson", "one/two/b.ndjson", "one/two/c.txt",
    "_x/a.ndjson", ".y/a.ndjson", "one/_x/a.ndjson", "one/.y/a.ndjson", "ab/a.ndjson", "one/two/three/z.ndjson",
    "day=2026-05-01/e.ndjson", "day=2026-05-02/e.ndjson", "day=2026-06-01/e.ndjson", "x.ndjson/inner.ndjson",
    "q[1]/a.ndjson", "Q/A.NDJSON", "one/two.ndjson",
)  # fmt: skip
GLOBS = (
    "*", "*.ndjson", "**", "**/*.ndjson", "**/a.ndjson", "one/**", "one/*", "one/*.ndjson", "one/*/", "*/",
    "*/*.ndjson",
    "one/**/*.ndjson", "?.ndjson", "[ab].*", "[!a].*", "_*/*", "_x/*", ".*/*", ".y/*", "one/_x/*.ndjson", "day=*",
    "day=2026-05-*/*.ndjson", "day=2026-0[56]-01/*", "a*", "q[[]1]/*", "x.ndjson*", "**/two/**", "*/two/*", "o*/t*",
    "one", "one/", "one/two", "a", "q[1]", "q[1]/a.ndjson", "nothing*", "**/nothing", "day=*/e.ndjson", "_c.ndjson",
    "b.c*", "b.csv*", "one/t*", "*.NDJSON", "Q/*", "", "_x", "one/_x",
)  # fmt: skip


@pytest.fixture(scope="module")
def tree(s3: Seaweed, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The same files on disk and in the bucket, with objects that stand for folders in the latter."""
    folder = tmp_path_factory.mktemp("tree")
    for name in TREE:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(WRITERS["csv" if name.endswith("csv") else "ndjson"](ROWS[:1]))
    there = s3.upload(folder, "tree")
    for name in ("", "one/", "one/two/", "x.ndjson/"):
        s3.put(f"tree/{name}", b"")
    return folder, there


@pytest.mark.parametrize("pattern", GLOBS)
def test_a_location_means_the_same_as_on_disk(tree: tuple[Path, str], ask: Ask, pattern: str) -> None:
    """Folders, globs, what is hidden, and what is passed over."""
    folder, there = tree

    def found(root: str) -> tuple[list[str], int] | str:
        ran = ask(f"{root}{pattern}", "--explain")
        if ran.code:
            assert ran.code == 3
            return "nothing"
        files = sorted(one["file"].removeprefix(root) for one in ran.answer["uses"])
        return files, describe.describe(Dataset((f"{root}{pattern}",))).passed_over

    assert found(there) == found(f"{folder}/")


def test_folders_of_hive_fill_columns(s3: Seaweed, prefix: str, tmp_path: Path) -> None:
    """What the folders of a key say is the value of a column that a file lacks, few or many of them."""
    for country, rows in {"DE": 1, "a%2Fb": 2, "__HIVE_DEFAULT_PARTITION__": 3}.items():
        (tmp_path / f"country={country}").mkdir()
        pl.DataFrame(ROWS[:rows]).write_parquet(tmp_path / f"country={country}" / "x.parquet")
    for number in range(30):
        (tmp_path / f"country={number}").mkdir()
        pl.DataFrame(ROWS[:4]).write_parquet(tmp_path / f"country={number}" / "x y.parquet")
    there = s3.upload(tmp_path, prefix)
    answers = [mmstats.stats(place, group_by="country").to_json() for place in (there, tmp_path)]
    assert answers[0] == answers[1]
    assert '"country":"a/b","value":2' in answers[0]


def test_more_objects_than_a_listing_has_in_a_page(s3: Seaweed, prefix: str) -> None:
    """1,100 objects below a prefix are all of them read."""
    content = ndjson(ROWS[:1])
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: s3.put(f"{prefix}/{number:04}.ndjson", content), range(1100)))
    there = f"s3://{s3.bucket}/{prefix}"
    assert mmstats.stats(there).rows == [{"value": 1100}]
    assert mmstats.stats(f"{there}/10*.ndjson").rows == [{"value": 100}]


def test_a_prefix_is_a_folder(s3: Seaweed, prefix: str) -> None:
    """`a` means what lies below `a/`, not `ab`; an object of the very name wins over both."""
    s3.put(f"{prefix}/ab/x.ndjson", ndjson(ROWS))
    location = f"s3://{s3.bucket}/{prefix}/a"
    with pytest.raises(NotEvents, match="there is no such object, and none below it"):
        mmstats.stats(location)
    s3.put(f"{prefix}/a/x.ndjson", ndjson(ROWS[:2]))
    assert mmstats.stats(location).rows == [{"value": 2}]
    s3.put(f"{prefix}/[a].ndjson", ndjson(ROWS[:1]))
    s3.put(f"{prefix}/a.ndjson", ndjson(ROWS[:3]))
    assert mmstats.stats(f"s3://{s3.bucket}/{prefix}/[a].ndjson").rows == [{"value": 1}]


def test_places_are_mixed_in_one_dataset(s3: Seaweed, prefix: str, tmp_path: Path, ask: Ask) -> None:
    """Files on disk and objects are asked together."""
    (tmp_path / "here.parquet").write_bytes(WRITERS["parquet"](ROWS))
    there = s3.put(f"{prefix}/there.parquet", WRITERS["parquet"](ROWS))
    assert ask(tmp_path / "here.parquet", "--data", there).value == 2 * len(ROWS)


def test_a_tag_is_the_same_with_quotes_and_without() -> None:
    """Azure lists it without, tells it with them of one object, and wants them in a condition."""
    objects = {"x/a.parquet": WRITERS["parquet"](ROWS), "x/b.ndjson": ndjson(ROWS)}
    with serving_objects("me/bucket", objects, is_azure=True) as server:
        options = {"account_name": "me", "account_key": "c2VjcmV0", "endpoint": f"{server.endpoint}/me"}
        for location, times in {"az://bucket/x/": 2, "az://bucket/x/a.parquet": 1, "az://bucket/x/b.ndjson": 1}.items():
            answered = mmstats.stats(location, group_by="path", storage_options=options)
            assert sum(int(row["value"]) for row in answered.rows) == times * len(ROWS)  # type: ignore[arg-type]


def test_rows_that_cannot_be_read_are_named_by_their_object(s3: Seaweed, prefix: str, ask: Ask) -> None:
    """Line and object stand in the message, and --skip-bad-rows counts them."""
    location = s3.put(f"{prefix}/bad.ndjson", ndjson(ROWS) + b"{broken\n")
    ran = ask(location)
    assert ran.code == 4
    assert ran.error.startswith(f"{location}: line 16: broken JSON")
    skipped = ask(location, "--skip-bad-rows")
    assert skipped.value == len(ROWS)
    assert f"{location} (1 row)" in skipped.err


@pytest.mark.parametrize(("name", "content"), [("e.parquet", b""), ("x.parquet", b"PAR1 nothing"), ("x.arrow", b"ab")])
def test_an_object_that_is_not_what_its_name_says(
    s3: Seaweed, prefix: str, ask: Ask, name: str, content: bytes
) -> None:
    """It is refused as on disk, by its location."""
    location = s3.put(f"{prefix}/{name}", content)
    ran = ask(location)
    assert ran.code == 4
    assert ran.error.startswith(f"{location}: ")


def test_local_questions_load_nothing_to_reach_a_store(tmp_path: Path) -> None:
    """Neither the library nor botocore is imported for files on disk."""
    import subprocess
    import sys

    (tmp_path / "x.ndjson").write_bytes(ndjson(ROWS))
    program = (
        "import sys, mmstats; mmstats.stats(sys.argv[1]); "
        "print([name for name in ('obstore', 'botocore', 'boto3') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_server_answers_of_a_bucket(s3: Seaweed, prefix: str) -> None:
    """`serve --data s3://…` answers, and notices a new object."""
    from tests.serving import serving, until

    s3.put(f"{prefix}/a.ndjson", ndjson(ROWS))
    with serving("--data", f"s3://{s3.bucket}/{prefix}/", environment=s3.environment) as server:
        assert server.stats().json["rows"] == [{"value": len(ROWS)}]
        s3.put(f"{prefix}/b.ndjson", ndjson(ROWS[:1]))
        until(lambda: server.stats().json["rows"] == [{"value": len(ROWS) + 1}])
        assert os.environ["AWS_SECRET_ACCESS_KEY"] not in server.log()
