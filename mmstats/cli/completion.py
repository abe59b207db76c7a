"""What the shell offers for a half-typed value, in a form that reaches the command line as the text it stands for."""

import contextlib
import json
import os
import re
import shlex
from collections.abc import Callable, MutableMapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import typer
from typer._click.shell_completion import CompletionItem, add_completion_class
from typer._completion_classes import BashComplete, PowerShellComplete

from mmstats.cache import cache_folder, replace_file
from mmstats.cli.parsing import Group
from mmstats.dataset import EVENT_COLUMNS
from mmstats.question.parameters import DIMENSIONS, INTERVALS, METRICS
from mmstats.wording import visible

VERSION = 1


def remember(locations: Sequence[str], names: Sequence[str]) -> None:
    """Keep the event names of the dataset at some locations; what cannot be kept is let go in silence."""
    if "-" in locations:
        return
    with contextlib.suppress(OSError, ValueError):  # a text that is no UTF-8 is a ValueError
        replace_file(
            _file(locations), json.dumps({"version": VERSION, "events": list(names)}, ensure_ascii=False).encode()
        )


def recall(locations: Sequence[str]) -> list[str]:
    """The event names kept for the dataset at some locations, the most frequent first; none when there are none."""
    try:
        kept = json.loads(_file(locations).read_bytes())
    except (OSError, ValueError, RecursionError):
        return []
    if not isinstance(kept, dict) or kept.get("version") != VERSION or not isinstance(kept.get("events"), list):
        return []
    return [name for name in kept["events"] if isinstance(name, str)]


def _file(locations: Sequence[str]) -> Path:
    key = b"\0".join(sorted({os.fsencode(_absolute(location)) for location in locations}))
    return cache_folder(os.environ) / f"{sha256(key).hexdigest()}.json"


def _absolute(location: str) -> str:
    return location if "://" in location else os.path.abspath(location)  # noqa: PTH100 – pathlib's keeps `..`


Completer = Callable[..., list[str]]


def among(choices: Sequence[str]) -> Completer:
    """Offers the choices that begin as typed."""

    def offer(incomplete: str) -> list[str]:
        return [choice for choice in choices if choice.startswith(incomplete)]

    return offer


def columns(incomplete: str) -> list[str]:
    """Offers, for the last name of a comma-separated list, the columns that it does not have yet."""
    before, comma, last = incomplete.rpartition(",")
    had = set(before.split(","))
    return [before + comma + name for name in DIMENSIONS if name.startswith(last) and name not in had]


def mapped(incomplete: str) -> list[str]:
    """Offers the event columns that a `COLUMN=NAME` may begin with."""
    return [f"{name}=" for name in EVENT_COLUMNS if f"{name}=".startswith(incomplete)]


def events(context: typer.Context, incomplete: str) -> list[str]:
    """Offers the names that a describe has left of the dataset which the command line names; none in doubt."""
    try:
        kept = recall(_locations(context))
    except Exception:  # whatever it is, a shell in the middle of a command line is no place to say it
        return []
    return [name for name in kept if name.startswith(incomplete) and carried(name)]


def _locations(context: typer.Context) -> tuple[str, ...]:
    """Where the events are that a half-typed command would read."""
    from mmstats.cli.datasets import SourceOptions
    from mmstats.settings import choose, settings_here

    given = context.params
    source = SourceOptions(given.get("data"), bool(given.get("sample")))
    return choose(source.read({}), settings_here(os.environ)).locations


VALUES: dict[str, Completer] = {
    "metric": among(METRICS),
    "interval": among(INTERVALS),
    "group_by": columns,
    "event": events,
}

_MEANS_ITSELF = re.compile(r"[\w@%+=,./-]")
# Characters that one of the scripts between us and a shell loses, or would run as code.
_LOST = frozenset("\\'\"`")


class Completing(Group):
    """The root command, which answers a shell that asks for completion in the shell's own way."""

    def _main_shell_completion(
        self, ctx_args: MutableMapping[str, Any], prog_name: str, complete_var: str | None = None
    ) -> None:
        # Not earlier: the library registers its own when it builds the command.
        add_completion_class(Bash, "bash")
        add_completion_class(PowerShell, "powershell")
        add_completion_class(PowerShell, "pwsh")
        super()._main_shell_completion(ctx_args, prog_name, complete_var)


class Bash(BashComplete):
    """Offers with what Bash would act on escaped, as the quote that is open at the cursor wants it."""

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the cursor and the one at it, without the `=` that Bash makes a word of its own."""
        words, incomplete = super().get_completion_args()
        return words[:-1] if words[-1:] == ["="] else words, incomplete

    def format_completion(self, item: CompletionItem) -> str:
        """One offer as a line."""
        return bash_quoted(str(item.value), open_quote(os.environ.get("COMP_WORDS", "")))


class PowerShell(PowerShellComplete):
    """Offers in quotes where they need them."""

    def format_completion(self, item: CompletionItem) -> str:
        """One offer as a line, its help after it."""
        text = str(item.value)
        plain = all(map(_MEANS_ITSELF.match, text)) and "," not in text and not text.startswith("@")
        item.value = text if plain else f"'{text}'"
        return super().format_completion(item)


def carried(text: str) -> bool:
    """Whether every shell gets `text` as it is, so that data cannot become a command."""
    return text == visible(text) and _LOST.isdisjoint(text)


def bash_quoted(text: str, quote: str) -> str:
    """`text` to stand after an open quote, or an empty `quote` for none; Bash closes the quote itself."""
    if quote == "'":
        return text
    if quote == '"':
        return re.sub(r'(["$`\\])', r"\\\1", text)
    return "".join(char if _MEANS_ITSELF.match(char) else "\\" + char for char in text)


def open_quote(line: str) -> str:
    """The quote that is open at the end of a line, or an empty text."""
    words = shlex.shlex(line, posix=True)
    words.whitespace_split, words.commenters = True, ""
    try:
        list(words)
    except ValueError:
        state = getattr(words, "state")  # noqa: B009 - where it gave up, which its type does not tell
        return state if state in ("'", '"') else ""
    return ""
