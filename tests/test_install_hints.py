"""A hint that installs names packages that are on the index and bring what is missing, wherever mmstats came from."""

import ast
import os
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from mmstats.extras import DISTRIBUTION, install_hint, requirements
from mmstats.storage.access import SCHEMES

ROOT = Path(__file__).parent.parent
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
NEEDED = {
    **{scheme: (["query", "--data", f"{scheme}://host/a.parquet"], "obstore") for scheme in SCHEMES},
    **{f"to {scheme}": (["import", "--sample", "--to", f"{scheme}://host/a"], "obstore") for scheme in SCHEMES},
    "s3 keys": (["query", "--data", "s3://bucket/a.parquet"], "botocore"),
    **{f"spark {name}": (["query", "--engine", "sc://127.0.0.1:1"], name) for name in ("pyspark", "grpc", "pandas")},
}


def source_files() -> Iterator[tuple[str, str]]:
    """Every module of the program but the one that makes the hints: its name and its text."""
    for file in sorted((ROOT / "mmstats").rglob("*.py")):
        name = str(file.relative_to(ROOT))
        if name != "mmstats/extras.py":
            yield name, file.read_text()


def installed_by(packages: list[str]) -> set[str]:
    """The distributions that installing some packages installs, by what their metadata says."""
    found: set[str] = set()
    waiting = [Requirement(package) for package in packages]
    while waiting:
        one = waiting.pop()
        name = one.name.lower().replace("_", "-")
        if name not in found and (one.marker is None or one.marker.evaluate({"extra": ""})):
            found.add(name)
            waiting += map(Requirement, metadata.requires(one.name) or [])
    return found


@pytest.mark.parametrize(("arguments", "module"), NEEDED.values(), ids=NEEDED)
def test_a_hint_installs_what_is_missing(tmp_path: Path, arguments: list[str], module: str) -> None:
    """Without a library that a question needs: exit 2, and a command that installs the library and no namesake."""
    (tmp_path / "sitecustomize.py").write_text(f"import sys\nsys.modules[{module!r}] = None\n")
    environment = {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}", "PATH": "", "HOME": str(tmp_path)}
    environment["MMSTATS_CACHE_SIZE"] = "0"
    command = [sys.executable, "-m", "mmstats", *arguments]
    ran = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    error, hint = ran.stderr.splitlines()[-2:]
    assert (ran.returncode, error.startswith("error: "), "None" in error) == (2, True, False)
    pip, install, *packages = shlex.split(hint.removeprefix("hint: "))
    assert (pip, install) == ("pip", "install")
    distributions = {name.lower() for name in metadata.packages_distributions()[module]}
    assert distributions & installed_by(packages)
    assert not {"mmstats", DISTRIBUTION} & installed_by(packages)


def test_every_hint_that_installs_is_made_in_one_place() -> None:
    """No module writes an install command, or an extra of ours, into a message; those that ask for one are above."""
    asking = set()
    for name, text in source_files():
        tree = ast.parse(text)
        texts = [str(node.value) for node in ast.walk(tree) if isinstance(node, ast.Constant)]
        assert not [one for one in texts if "pip install" in one or "mmstats[" in one], name
        if any(isinstance(node, ast.Name) and node.id == "install_hint" for node in ast.walk(tree)):
            asking.add(name)
    storages = {"mmstats/storage/access.py", "mmstats/storage/aws.py"}
    readers = {"mmstats/files/tables.py", "mmstats/schemas/lookups.py"}
    assert asking == {"mmstats/engines/spark/__init__.py", *readers, *storages}


@pytest.mark.parametrize("extra", [extra for extra in EXTRAS if extra != "dev"])
def test_a_hint_says_what_the_extra_declares(extra: str) -> None:
    """The packages of a hint, with their versions, are those of the extra in `pyproject.toml`."""
    declared = [Requirement(package) for package in EXTRAS[extra]]
    shown = [Requirement(package) for package in shlex.split(install_hint(extra))[2:]]
    assert {(one.name, one.specifier) for one in shown} == {(one.name, one.specifier) for one in declared}


def test_a_checkout_that_is_not_installed_has_the_same_hints(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without metadata of its own the program reads the file that the metadata is made of."""

    def absent(_: str) -> list[str]:
        raise metadata.PackageNotFoundError(DISTRIBUTION)

    monkeypatch.setattr(metadata, "requires", absent)
    assert requirements("s3") == EXTRAS["s3"]


def test_the_distribution_is_not_the_one_of_another_project() -> None:
    """The distribution has a name of its own, the same in program and project file; the command keeps its name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert (project["name"], project["scripts"]) == (DISTRIBUTION, {"mmstats": "mmstats.__main__:main"})
    assert all(Requirement(package).name != "mmstats" for extra in EXTRAS.values() for package in extra)
