"""The server against its own description: generated questions, right and wrong, each judged by what is promised."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mmstats.serve.openapi import document
from tests.serving import KEY, serving

ROOT = Path(__file__).parent.parent
DOORS = {
    "a key is asked for": (["--sample"], ["--header", f"Authorization: Bearer {KEY}"]),
    "open, with extensions": (["--sample", "--no-auth", "--extensions"], []),
}

PROGRAM = str(Path(sys.executable).with_name("st"))  # beside this interpreter, wherever the PATH leads


def judged(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """A run of Schemathesis with all its checks, the same each time, in a folder of its own."""
    bounds = ["--max-examples", "100", "--seed", "1", "--generation-database", "none", "--generation-unique-inputs"]
    return subprocess.run(
        [PROGRAM, "run", *arguments, "--checks", "all", *bounds, "--continue-on-failure", "--no-color"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "SCHEMATHESIS_HOOKS": "tests.schemathesis_hooks"},
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.parametrize("door", DOORS)
def test_nothing_is_found(door: str, tmp_path: Path) -> None:
    """The server does what its description says, whatever is asked."""
    serve, st = DOORS[door]
    with serving(*serve) as server:
        ran = judged(tmp_path, f"{server.url}/openapi.json", *st)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert "No issues found" in ran.stdout
        assert "level=error" not in server.log()


def test_what_is_promised_wrongly_is_found(tmp_path: Path) -> None:
    """A description that is wrong by one bound does not pass."""
    wrong = document(extensions=False, keys=False)
    schemas = {parameter["name"]: parameter["schema"] for parameter in wrong["paths"]["/v1/stats"]["get"]["parameters"]}
    schemas["limit"]["maximum"] -= 1
    described = tmp_path / "openapi.json"
    described.write_text(json.dumps(wrong))
    with serving("--sample", "--no-auth") as server:
        ran = judged(
            tmp_path, str(described), "--url", server.url, "--phases", "coverage", "--include-path", "/v1/stats"
        )
    assert ran.returncode == 1
    assert "limit=1000" in ran.stdout
