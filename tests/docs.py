"""What the program itself says in README.md and docs/: `python -m tests.docs` writes it anew.

The commands of a page are run from top to bottom in a folder that holds the sample as a user's own events. A `console`
block shows what a terminal shows of each line that begins with `$`; an `sh` block must succeed. A block below the line
`<!-- not run: WHY -->` is left alone. Between the lines `<!-- generated: NAME -->` and `<!-- end -->` stands what
`SECTIONS` makes of NAME.
"""

import ast
import inspect
import re
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import mmstats
from mmstats.cli import MEANING, ExitCode
from mmstats.cli.app import app
from mmstats.derivation import Column, Constant, Derivation, First, Join, Step
from mmstats.question.parameters import EXTENSIONS, PARAMETERS
from mmstats.schemas import bundled, load_schema, title_of
from mmstats.serve.errors import ERROR_CODES
from mmstats.settings import SETTINGS
from tests.serving import serving
from tests.terminal import Terminal

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PAGES = (README, *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "docs" / "sources").glob("*.md")))
BLOCK = re.compile(r"^(<!-- not run: [^\n]+ -->\n)?```(console|sh)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_NO_SUCH_COMMAND = 127  # a shell's exit code


def parameters() -> str:
    """The table of the question's parameters."""
    rows = [
        f"| `{parameter.flag}` | `{parameter.name}` | {parameter.help} | {_default(parameter.default)} |"
        for parameter in PARAMETERS
    ]
    return "\n".join(["| flag | in the API | | default |", "| --- | --- | --- | --- |", *rows])


def extensions() -> str:
    """The table of what is asked beyond the API."""
    rows = [
        f"| `{one.flag}` | `{one.name}` | {one.help} | {_default(one.default) or one.default_text} |"
        for one in EXTENSIONS
    ]
    return "\n".join(["| flag | over HTTP | | default |", "| --- | --- | --- | --- |", *rows])


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


def python_signature() -> str:
    """The arguments of `mmstats.stats`, a line each."""
    arguments = inspect.signature(mmstats.stats).parameters.values()
    lines = ["data=None,", "*,", *(f"{one.name}={one.default!r}," for one in arguments if one.name != "data")]
    return "\n".join(["```text", "mmstats.stats(", *(f"    {line}" for line in lines), ")", "```"])


def schemas() -> str:
    """The table of the exports that are known."""
    rows = [f"| `{name}` | {title_of(name)} |" for name in bundled()]
    return "\n".join(["| `--schema` | what it reads |", "| --- | --- |", *rows])


def read_from(name: str) -> str:
    """The table of what each event column of a known export is read from."""
    schema = load_schema(name)
    rows = [f"| `{column}` | {_in_words(one)} |" for column, one in schema.columns.items()]
    only = [
        f"\nOnly rows whose `{column}` is {_either(values)} are events, where there is one."
        for column, values in schema.only.items()
    ]
    return "\n".join(["| event column | is read from |", "| --- | --- |", *rows, *only])


def _either(values: Sequence[str]) -> str:
    *others, last = (f"`{one}`" for one in values)
    return f"{', '.join(others)} or {last}" if others else last


def _in_words(derivation: Derivation) -> str:
    match derivation:
        case Column(name):
            return f"`{name}`"
        case Constant(text):
            return f"always `{text}`"
        case First(parts):
            return ", else ".join(map(_in_words, parts))
        case Join(parts):
            return " and ".join(map(_in_words, parts))
        case Step(of, "values", argument):
            table = ", ".join(f"`{key}` is `{value}`" for key, value in dict(argument).items())
            return f"{_in_words(of)} ({table})"
        case Step(of, name, argument):
            whole = f"({_in_words(of)})" if isinstance(of, First) else _in_words(of)
            return _STEPS[name].format(argument=_FACTS.get(str(argument), argument), of=whole)


_STEPS: Mapping[str, str] = {
    "agent": "the {argument} in the user agent {of}",
    "decode": "{of}",
    "geo": "the {argument} of the address {of}",
    "lower": "{of}, in small letters",
    "query": "`{argument}` in {of}",
    "upper": "{of}, in capitals",
    "url": "the {argument} in the URL {of}",
}
_FACTS = {"device_type": "kind of device", "os": "system"}


def rooms() -> str:
    """The modules of the program, each with the first line of its docstring, in the order of the import contract."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    order = [name for layer in contracts[0]["layers"] for name in layer.split(" | ")]
    package = ROOT / "mmstats"
    above = sorted(package.glob("[!_]*.py")) + [file.parent for file in package.glob("*/__init__.py")]
    above.sort(key=lambda path: (order.index(path.stem) if path.stem in order else len(order), path.stem))
    return "\n".join(line for path in above for line in _room(path))


def _room(path: Path, depth: int = 0) -> Iterator[str]:
    module = path / "__init__.py" if path.is_dir() else path
    told = (ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or "").partition("\n")[0]
    name = f"{path.name}/" if path.is_dir() else path.name
    yield f"{'  ' * depth}- [`{name}`](../{module.relative_to(ROOT)}): {told}"
    if path.is_dir():
        for inside in sorted(path.iterdir()):
            if (inside / "__init__.py").is_file() or inside.match("[!_]*.py"):
                yield from _room(inside, depth + 1)


SECTIONS: dict[str, Callable[[], str]] = {
    "parameters": parameters,
    "extensions": extensions,
    "exit codes": exit_codes,
    "settings": settings,
    "http session": http_session,
    "http errors": http_errors,
    "help": help_texts,
    "python signature": python_signature,
    "rooms": rooms,
    "schemas": schemas,
    **{f"schema {name}": partial(read_from, name) for name in bundled() if name != "plausible"},
}


def with_output(block: re.Match[str], terminal: Terminal) -> str:
    """A block of a page, with what its commands print now."""
    left_alone, language, body = block.groups()
    if left_alone:
        return block[0]
    if language == "sh":
        code, shown = terminal.run(body)
        assert code == 0, f"{body}{shown}"
        return block[0]
    shown = ""
    for command in (line for line in body.splitlines() if line.startswith("$ ")):
        code, printed = terminal.run(command.removeprefix("$ "))
        assert code not in (ExitCode.BUG, _NO_SUCH_COMMAND), f"{command}\n{printed}"
        shown += "\n".join(filter(None, (command, printed.rstrip()))) + "\n"
    return f"```console\n{shown}```"


def generate(text: str) -> str:
    """A page as it should be."""
    for name, section in SECTIONS.items():
        marker = f"<!-- generated: {name} -->\n"
        if marker in text:
            pattern = re.escape(marker) + r"((?:(?!<!-- generated).)*?<!-- end -->\n)?"
            body = f"{marker}\n{section()}\n\n<!-- end -->\n"
            text = re.sub(pattern, lambda _: body, text, count=1, flags=re.DOTALL)  # noqa: B023 - called at once
    with tempfile.TemporaryDirectory() as home:
        return BLOCK.sub(partial(with_output, terminal=Terminal(Path(home))), text)


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(generate(page.read_text(encoding="utf-8")), encoding="utf-8")
