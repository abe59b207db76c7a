"""Completion as the shells need it: an offer must reach the command line as the text it stands for.

The library inserts offers as they are in Bash and PowerShell, where `$pageview` would then be replaced by nothing.
Zsh's and Fish's own machinery quotes what it inserts.
"""

import os
import re
import shlex
from collections.abc import MutableMapping
from typing import Any

from typer._click.shell_completion import CompletionItem, add_completion_class
from typer._completion_classes import BashComplete, PowerShellComplete

from mmstats.cli.usage import Group
from mmstats.wording import visible

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
