"""What the parser refuses, and what it would let pass, in the words and the form that all our errors have."""

import os
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from typer._click.core import Context
from typer._click.exceptions import BadOptionUsage, ClickException, MissingParameter, NoSuchOption, UsageError
from typer._click.parser import _OptionParser, _ParsingState
from typer._coercion import RuntimeParam
from typer.core import TyperCommand, TyperGroup

from mmstats.api_keys import conceal
from mmstats.cli.options import IMPLIED
from mmstats.errors import InvalidQuestion, NotEvents
from mmstats.options import suggest_option
from mmstats.question.parameters import QUOTE_EVENT
from mmstats.question.words import PARAMETERS
from mmstats.wording import did_you_mean, spelt, visible

_STRAY = f"{__name__}.stray"  # where a context has the files that follow the value of a flag


class WrongUsage(InvalidQuestion):
    """A command line that no command takes."""


@dataclass(frozen=True)
class _AsWritten(RuntimeParam):
    """A text that is passed on as it was written: it is read where those of every door are."""

    def _coerce_value(self, value: Any, param: object, ctx: Context) -> Any:  # noqa: ARG002 - the library's signature
        return value


def _pass_on(parameters: Iterable[Any]) -> None:
    """Spare the library building validators, which takes longer than a small question; text and flags need none."""
    for parameter in parameters:
        kind = parameter.type_descriptor
        parameter._runtime_param = _AsWritten(kind.parameter_info, kind.annotation)


class _Parser(_OptionParser):
    """Refuses `-data`, which the library reads as `-d ata`; keeps the arguments of a line that ends with a flag.

    Of a flag that needs no value it reads `--flag=value`, and leaves what stands behind `--flag` alone.
    """

    def _process_opts(self, arg: str, state: _ParsingState) -> None:
        name = arg.partition("=")[0]
        if f"-{name}" in self._long_opt:
            raise NoSuchOption(name, ctx=self.ctx)
        super()._process_opts(arg, state)

    def _get_value_from_state(self, option_name: str, option: Any, state: _ParsingState) -> str | Sequence[str]:
        if self.ctx and self.ctx.resilient_parsing and not state.rargs:  # its value is what the shell completes
            return ""
        return super()._get_value_from_state(option_name, option, state)

    def _match_long_opt(self, opt: str, explicit_value: str | None, state: _ParsingState) -> None:
        implied = next(iter(IMPLIED.get(opt, ())), None)
        super()._match_long_opt(opt, implied if explicit_value is None else explicit_value, state)


class Command(TyperCommand):
    """A command that refuses an option given twice, where the library keeps the last."""

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Parse the command's arguments.

        Raises WrongUsage for an option that is given twice and may be given once, and for a flag in the place of the
        value that another flag needs.
        """
        parameters = self.get_params(ctx)
        _pass_on(parameters)
        try:
            values, _, order = self.make_parser(ctx).parse_args(args=list(args))
        except UsageError as error:
            error.ctx = error.ctx or ctx
            raise
        if not ctx.resilient_parsing:
            _refuse_repeated(order)
            self._refuse_flags_for_values(ctx, values)
            _refuse_implied_values(args)
            files = values.get("data_argument") or ()
            ctx.meta[_STRAY] = [
                word
                for before, word in pairwise(args)
                if word in files and before not in files and not before.startswith("-")
            ]
        return super().parse_args(ctx, args)

    def _refuse_flags_for_values(self, ctx: Context, values: Mapping[str, Any]) -> None:
        parameters: list[Any] = self.get_params(ctx)
        flags = _flags(ctx)
        for parameter in parameters:
            written = values.get(parameter.name) if parameter.param_type_name == "option" else None
            value = next((one for one in (written if isinstance(written, list) else [written]) if one in flags), None)
            if value:
                hint = QUOTE_EVENT if parameter.name == "event" else _see_help(ctx)
                raise WrongUsage(f"{parameter.opts[0]} needs a value, not the flag {value}", hint=hint)

    def invoke(self, ctx: Context) -> Any:
        """Run the command; where a file is not there that follows the value of a flag, the hint says why it is read."""
        try:
            return super().invoke(ctx)
        except NotEvents as error:
            for word in map(visible, ctx.meta[_STRAY]):
                if not error.hint and error.message.startswith(f"{word}: "):
                    error.hint = f"{word} is read as a file; a value with blanks must be quoted"
            raise

    def make_parser(self, ctx: Context) -> _OptionParser:
        """The parser of the command's options and arguments."""
        parser = _Parser(ctx)
        for parameter in self.get_params(ctx):
            parameter.add_to_parser(parser, ctx)
        return parser

    def format_options(self, ctx: Context, formatter: Any) -> None:
        """Write arguments without the type that the library adds: all of them are texts."""
        parameters: list[Any] = self.get_params(ctx)
        for parameter in parameters:
            if parameter.param_type_name == "argument":
                parameter.display_type_rich = lambda ctx: ""  # noqa: ARG005 - the library's signature
        super().format_options(ctx, formatter)

    def format_epilog(self, ctx: Context, formatter: Any) -> None:  # noqa: ARG002 - the library's signature
        """Write the examples as they stand, where the library would fill paragraphs."""
        formatter.write("\n" + (self.epilog or ""))


def _refuse_implied_values(args: Sequence[str]) -> None:
    """Refuse a value that stands behind its flag without `=`, where it would be read as a file that is not there."""
    for flag, word in pairwise(args):
        if word in IMPLIED.get(flag, ()) and not os.path.exists(word):
            raise WrongUsage(f"{flag} takes its value behind a '='", hint=f"{flag}={word}")


def _refuse_repeated(order: Iterable[Any]) -> None:
    seen = set()
    for parameter in order:
        if parameter.name in seen and not parameter.multiple and parameter.param_type_name == "option":
            raise WrongUsage(f"{parameter.opts[0]} may be given only once")
        seen.add(parameter.name)


class Group(TyperGroup):
    """Commands in the order in which they are written."""

    def list_commands(self, ctx: Context) -> list[str]:  # noqa: ARG002 - the library's signature
        """The names of the commands."""
        return list(self.commands)

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Parse what stands before the command."""
        _pass_on(self.get_params(ctx))
        return super().parse_args(ctx, args)

    def format_epilog(self, ctx: Context, formatter: Any) -> None:  # noqa: ARG002 - the library's signature
        """Write the examples as they stand, where the library would fill paragraphs."""
        formatter.write("\n" + (self.epilog or ""))


class ShowGroup(Group):
    """Commands of which one, `show`, may go unnamed before what it shows."""

    def resolve_command(self, ctx: Context, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The command that a line names, or `show`, and what stands behind its name."""
        return super().resolve_command(ctx, args if args[0] in self.commands else ["show", *args])

    def shell_complete(self, ctx: Context, incomplete: str) -> list[Any]:
        """Offers what `show` takes, and the commands."""
        shown: Any = self.commands["show"].params[0]
        return [*shown.shell_complete(ctx, incomplete), *super().shell_complete(ctx, incomplete)]


def wrong_usage(error: ClickException) -> WrongUsage:
    """The library's error in our words; of a command about keys without any key in it."""
    ctx = error.ctx if isinstance(error, UsageError) else None
    message, hint = _words(error, ctx)
    hint = hint or _see_help(ctx)
    if ctx and ctx.command_path.startswith("mmstats keys"):
        message, hint = conceal(message), conceal(hint)
    return WrongUsage(message, hint=hint)


def _words(error: ClickException, ctx: Context | None) -> tuple[str, str]:
    """What is wrong and what to do about it, empty for nothing but to look at the help."""
    if isinstance(error, NoSuchOption):
        return f"no such option: {visible(error.option_name)}", _suggest_flag(error.option_name, ctx)
    if isinstance(error, BadOptionUsage):
        # An unquoted $name at the end of the line leaves nothing behind the flag.
        hint = QUOTE_EVENT if error.option_name == "--event" else ""
        return f"{error.option_name} {'needs a' if 'requires' in error.message else 'takes no'} value", hint
    if isinstance(error, MissingParameter) and error.param:
        return f"{error.param.metavar} is missing", ""
    message = error.format_message()
    unknown = re.match(r"No such command '(.*?)'\.", message, re.DOTALL)
    if unknown and ctx and isinstance(ctx.command, TyperGroup):
        is_data = ctx.parent is None and os.path.exists(unknown[1])
        name = visible(unknown[1])
        offer = did_you_mean(name, ctx.command.commands, f"{ctx.command_path} {{}}")
        asks = f"mmstats query {shlex.quote(name)} asks what is in it"
        return f"no such command: {name}", asks if is_data else offer
    extra = re.match(r"Got unexpected extra arguments?\S* \((.*)\)", message, re.DOTALL)
    if extra:
        return f"unexpected argument: {visible(extra[1])}", f"a value with blanks must be quoted; {_see_help(ctx)}"
    return visible(message), ""


def _suggest_flag(written: str, ctx: Context | None) -> str:
    """The flag that is likely meant, or what to say of another tool's flag; empty for a letter."""
    known = [flag.removeprefix("--").replace("-", "_") for flag in _flags(ctx) if flag.startswith("--")]
    return spelt(suggest_option(written.lstrip("-"), known, PARAMETERS), flags=True)


def _flags(ctx: Context | None) -> list[str]:
    parameters: list[Any] = ctx.command.get_params(ctx) if ctx else []
    return [flag for parameter in parameters for flag in parameter.opts if flag.startswith("-")]


def _see_help(ctx: Context | None) -> str:
    return f"{ctx.command_path if ctx else 'mmstats'} --help shows how it is used"
