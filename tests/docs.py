"""The generated parts of README.md and of the pages in docs/: `python -m tests.docs` writes them anew.

A `console` block is run, line by line that begins with `$`, on the bundled sample from an empty folder, unless the line
above it is `<!-- not run: WHY -->`. A line `<!-- generated: NAME -->` is followed by what `SECTIONS` makes of NAME, up
to `<!-- end -->`.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mmstats.cli import MEANING
from mmstats.cli.app import app
from mmstats.question.parameters import PARAMETERS
from mmstats.serve.errors import ERROR_CODES
from mmstats.settings import SETTINGS
from tests.serving import serving

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PAGES = (README, *sorted((ROOT / "docs").glob("*.md")))
CONSOLE = re.compile(r"^(<!-- not run: .+ -->\n)?```console\n(.*?)```", re.DOTALL | re.MULTILINE)


def parameters() -> str:
    """The table of the question's parameters."""
    rows = [
        f"| `{parameter.flag}` | `{parameter.name}` | {parameter.help} | {_default(parameter.default)} |"
        for parameter in PARAMETERS
    ]
    return "\n".join(["| flag | in the API | | default |", "| --- | --- | --- | --- |", *rows])


def _default(value: object) -> str:
    return f"`{value}`" if value else ""


def exit_codes() -> str:
    """The table of exit codes."""
    rows = [f"| {code.value} | {meaning} |" for code, meaning in MEANING.items()]
    return "\n".join(["| code | meaning |", "| --- | --- |", *rows])


def settings() -> str:
    """The table of settings."""
    rows = [f"| `{setting.name}` | {setting.help} | {'yes' if setting.shared else 'no'} |" for setting in SETTINGS]
    return "\n".join(["| setting | | also in `mmstats.toml` |", "| --- | --- | --- |", *rows])


def help_texts() -> str:
    """The help of every command, as the program prints it."""
    import typer

    commands = _commands(typer.main.get_command(app), ["mmstats"])
    return "\n\n".join(f"```console\n$ {' '.join(words)} --help\n```" for words in commands)


def _commands(command: Any, words: list[str]) -> Iterator[list[str]]:
    """The words that call a command, then those that call each command below it."""
    yield words
    for name, below in getattr(command, "commands", {}).items():
        yield from _commands(below, [*words, name])


def http_session() -> str:
    """Questions over HTTP and what a server on the sample answers."""
    asked = ["from=2026-05-01&to=2026-06-01&event=signup&group_by=source,medium", "from=2026-05-01&groupby=source"]
    shown = []
    with serving("--sample") as server:
        for question in asked:
            path = f"/v1/stats?{question}"
            shown += [f"$ curl -H \"Authorization: Bearer $KEY\" 'http://127.0.0.1:8787{path}'"]
            shown += [server.request(path).body.decode()]
    return "\n".join(["<!-- not run: the server that answered is gone -->", "```console", *shown, "```"])


def http_errors() -> str:
    """The table of the codes of errors over HTTP."""
    rows = [f"| {status} | `{code}` | {meaning} |" for code, (status, meaning) in ERROR_CODES.items()]
    return "\n".join(["| status | code | when |", "| --- | --- | --- |", *rows])


SECTIONS: dict[str, Callable[[], str]] = {
    "parameters": parameters,
    "exit codes": exit_codes,
    "settings": settings,
    "http session": http_session,
    "http errors": http_errors,
    "help": help_texts,
}


def run(command: str, folder: str) -> str:
    """What a command prints, in an environment that holds nothing of its user."""
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": folder,
        "XDG_CONFIG_HOME": folder,
        "MMSTATS_CACHE_DIR": folder,
        "COLUMNS": "80",
        "LANG": "C.UTF-8",
    }
    shell = ["sh", "-c", command]
    done = subprocess.run(
        shell, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    return done.stdout


def _with_output(block: re.Match[str]) -> str:
    if block[1]:
        return block[0]
    commands = [line for line in block[2].splitlines() if line.startswith("$ ")]
    with tempfile.TemporaryDirectory() as folder:
        shown = [f"{command}\n{run(command[2:], folder)}" for command in commands]
    return "```console\n" + "".join(text.rstrip() + "\n" for text in shown) + "```"


def generate(text: str) -> str:
    """A page as it should be."""
    for name, section in SECTIONS.items():
        marker = f"<!-- generated: {name} -->\n"
        if marker in text:
            pattern = re.escape(marker) + r"((?:(?!<!-- generated).)*?<!-- end -->\n)?"
            body = f"{marker}\n{section()}\n\n<!-- end -->\n"
            text = re.sub(pattern, lambda _: body, text, count=1, flags=re.DOTALL)  # noqa: B023 - called at once
    return CONSOLE.sub(_with_output, text)


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(generate(page.read_text(encoding="utf-8")), encoding="utf-8")
