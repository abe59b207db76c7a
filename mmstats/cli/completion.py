"""What the shell offers for a half-typed value, in a form that reaches the command line as the text it stands for."""

import contextlib
import json
import os
import re
import shlex
from collections.abc import Callable, Sequence
from typing import Any

import typer
from typer._click.shell_completion import CompletionItem, add_completion_class
from typer._completion_classes import BashComplete, PowerShellComplete
from typer._completion_shared import Shells, get_completion_script, install

from mmstats.api_keys import KeyFile, keys_file
from mmstats.cache import Key, Kind, make_key, user_cache
from mmstats.dataset import EVENT_COLUMNS, SAMPLE
from mmstats.errors import InvalidSettings
from mmstats.options import read_choice
from mmstats.question.columns import COLUMNS
from mmstats.question.metrics import NAMES
from mmstats.schemas import bundled
from mmstats.settings import settings_here
from mmstats.wording import visible


def save_event_names(locations: Sequence[str], names: Sequence[str]) -> None:
    """Save the event names of the dataset at some locations for completion; a failure is passed over in silence."""
    if "-" in locations:
        return
    content = json.dumps(list(names), ensure_ascii=False)
    with contextlib.suppress(InvalidSettings, ValueError):  # a text that is no UTF-8 is a ValueError
        if cache := user_cache(os.environ):
            cache.store(_key(locations), content.encode())


def _load_event_names(locations: Sequence[str]) -> list[str]:
    """The event names saved for the dataset at some locations, the most frequent first; none when there are none."""
    cache = user_cache(os.environ)
    content = cache.find(_key(locations)) if cache else None
    names: list[str] = json.loads(content) if content else []
    return names


def _key(locations: Sequence[str]) -> Key:
    absolute = (
        location if "://" in location else os.path.abspath(location)  # noqa: PTH100 – pathlib's keeps `..`
        for location in locations
    )
    return make_key(Kind.EVENT_NAMES, *sorted(set(absolute)))


Completer = Callable[..., list[str]]


def among(choices: Sequence[str]) -> Completer:
    """Offers the choices that begin as typed."""

    def offer(incomplete: str) -> list[str]:
        return [choice for choice in choices if choice.startswith(incomplete)]

    return offer


def columns(incomplete: str) -> list[str]:
    """Offers, for the last name of a comma-separated list, the columns that it does not have yet."""
    before, comma, last = incomplete.rpartition(",")
    present = set(before.split(","))
    return [before + comma + name for name in COLUMNS if name.startswith(last) and name not in present]


def metrics(incomplete: str) -> list[str]:
    """Offers, for the last one of a comma-separated list, the metrics that it does not have yet.

    None with a column: a colon begins a new word to Bash.
    """
    before, comma, last = incomplete.rpartition(",")
    present = set(before.split(","))
    return [before + comma + name for name in NAMES if name.startswith(last) and name not in present]


def filtered(incomplete: str) -> list[str]:
    """Offers the columns that a filter may begin with."""
    return [name for name in COLUMNS if name.startswith(incomplete)]


def sort_keys(context: typer.Context, incomplete: str) -> list[str]:
    """Offers, for the last key of a comma-separated list, the keys that rows will have; those of all rows in doubt."""
    before, comma, last = incomplete.rpartition(",")
    minus = "-" * last.startswith("-")
    grouped = [name for text in context.params.get("group_by") or () for name in text.split(",")]
    present = {key.removeprefix("-") for key in before.split(",")}
    counted = (context.params.get("metric") or "value").split(",")
    values = counted if len(counted) > 1 else ["value"]
    keys = [key for key in ("bucket", *grouped, *values) if key not in present]
    return [before + comma + minus + key for key in keys if key.startswith(last.removeprefix("-"))]


def zones(incomplete: str) -> list[str]:
    """Offers the names of time zones."""
    from mmstats.question.zones import zone_names

    return [name for name in ("local", *zone_names()) if name.startswith(incomplete)]


def mapped(incomplete: str) -> list[str]:
    """Offers the event columns that a `COLUMN=NAME` may begin with."""
    return [f"{name}=" for name in EVENT_COLUMNS if f"{name}=".startswith(incomplete)]


def events(context: typer.Context, incomplete: str) -> list[str]:
    """Offers the event names that `describe` has saved for the dataset of this command line; none in doubt."""
    try:
        named = [*(context.params.get("data_argument") or ()), *(context.params.get("data") or ())]
        data = SAMPLE if context.params.get("sample") else named
        names = _load_event_names(data or settings_here(os.environ).data or SAMPLE)
    except Exception:  # whatever it is, a half-typed command line is no place to say it
        return []
    # Every shell must get an offer as it is, so that data cannot become a command.
    safe = [name for name in names if name == visible(name) and _LOST.isdisjoint(name)]
    return [name for name in safe if name.startswith(incomplete)]


def commands(context: typer.Context, incomplete: str) -> list[str]:
    """Offers the commands below those that are named already."""
    command: Any = context.find_root().command
    for name in context.params.get("command_argument") or ():
        command = getattr(command, "commands", {}).get(name)
    return [name for name in getattr(command, "commands", {}) if name.startswith(incomplete)]


def schemas(incomplete: str) -> list[str]:
    """Offers the names of the bundled schemas."""
    return [name for name in bundled() if name.startswith(incomplete)]


def key_prefixes(incomplete: str) -> list[str]:
    """Offers the prefixes of the keys that are known here; none in doubt."""
    try:
        prefixes = [key.prefix for key in KeyFile(keys_file(os.environ)).read()]
    except Exception:  # whatever it is, a half-typed command line is no place to say it
        return []
    return [prefix for prefix in prefixes if prefix.startswith(incomplete)]


def for_shell(flag: str, shell: str) -> None:
    """Do what `--install-completion` or `--show-completion` does, for a shell that is named.

    The library's flags take no value, and would do it for the current shell instead. Raises ValueError with the rest
    of the sentence "this flag …".
    """
    replace_shells()
    read_choice(shell, [one.value for one in Shells])
    if flag == "--show-completion":
        typer.echo(get_completion_script(prog_name="mmstats", complete_var="_MMSTATS_COMPLETE", shell=shell))
        return
    name, path = install(shell=shell, prog_name="mmstats", complete_var="_MMSTATS_COMPLETE")
    typer.echo(f"{name} completion installed in {path}\nCompletion will take effect once you restart the terminal")


def replace_shells() -> None:
    """Answer a shell in our way; to be called once the library has built the command and registered its own."""
    add_completion_class(Bash, "bash")
    add_completion_class(PowerShell, "powershell")
    add_completion_class(PowerShell, "pwsh")


_PLAIN = re.compile(r"[\w@%+=,./-]")
# Characters that one of the scripts between us and a shell loses, or would run as code.
_LOST = frozenset("\\'\"`")


class Bash(BashComplete):
    """Offers in which everything that Bash would act on is escaped, as the open quote at the cursor needs it."""

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the cursor and the one at it, without the `=` that Bash makes a word of its own."""
        words, incomplete = super().get_completion_args()
        return words[:-1] if words[-1:] == ["="] else words, incomplete

    def format_completion(self, item: CompletionItem) -> str:
        """One offer as a line; Bash closes an open quote itself."""
        text, quote = str(item.value), _open_quote(os.environ.get("COMP_WORDS", ""))
        if quote == "'":
            return text
        if quote == '"':
            return re.sub(r'(["$`\\])', r"\\\1", text)
        return "".join(char if _PLAIN.match(char) else "\\" + char for char in text)


class PowerShell(PowerShellComplete):
    """Offers in quotes where they need them."""

    def format_completion(self, item: CompletionItem) -> str:
        """One offer as a line, its help after it."""
        text = str(item.value)
        plain = all(map(_PLAIN.match, text)) and "," not in text and not text.startswith("@")
        item.value = text if plain else f"'{text}'"
        return super().format_completion(item)


def _open_quote(line: str) -> str:
    """The quote that is open at the end of a line, or an empty text."""
    words = shlex.shlex(line, posix=True)
    words.whitespace_split, words.commenters = True, ""
    try:
        list(words)
    except ValueError:
        state = getattr(words, "state")  # noqa: B009 - where it gave up; its type stub lacks it
        return state if state in ("'", '"') else ""
    return ""
