"""What the parser refuses, and what it would let pass, in the words and the form that all our errors have."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from typer._click.core import Context
from typer._click.exceptions import BadOptionUsage, ClickException, MissingParameter, NoSuchOption, UsageError
from typer._coercion import RuntimeParam
from typer.core import TyperCommand, TyperGroup

from mmstats.api_keys import conceal
from mmstats.errors import InvalidQuestion
from mmstats.question.parameters import QUOTE_EVENT
from mmstats.wording import did_you_mean, visible


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
            seen = set()
            for parameter in order:
                if parameter.name in seen and not parameter.multiple and parameter.param_type_name == "option":
                    raise WrongUsage(f"{parameter.opts[0]} may be given only once")
                seen.add(parameter.name)
            flags = _flags(ctx)
            for parameter in parameters:
                written = values.get(parameter.name or "")
                value = next(
                    (one for one in (written if isinstance(written, list) else [written]) if one in flags), None
                )
                if value:
                    hint = QUOTE_EVENT if parameter.name == "event" else _see_help(ctx)
                    raise WrongUsage(f"{parameter.opts[0]} needs a value, not the flag {value}", hint=hint)
        return super().parse_args(ctx, args)

    def format_epilog(self, ctx: Context, formatter: Any) -> None:  # noqa: ARG002 - the library's signature
        """Write the examples as they stand, where the library would fill paragraphs."""
        formatter.write("\n" + (self.epilog or ""))


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


def wrong_usage(error: ClickException) -> WrongUsage:
    """The library's error in our words; of a command about keys without any key in it."""
    ctx = error.ctx if isinstance(error, UsageError) else None
    message, hint = _words(error, ctx)
    hint = hint or _see_help(ctx)
    if ctx and ctx.command_path.startswith("mmstats keys"):
        if isinstance(error, MissingParameter) and error.param:
            message = f"{error.param.display_name_raw} is missing"
        message, hint = conceal(message), conceal(hint)
    return WrongUsage(message, hint=hint)


def _words(error: ClickException, ctx: Context | None) -> tuple[str, str]:
    """What is wrong and what to do about it, empty for nothing but to look at the help."""
    if isinstance(error, NoSuchOption):
        return f"no such option: {visible(error.option_name)}", did_you_mean(error.option_name, _flags(ctx))
    if isinstance(error, BadOptionUsage):
        # An unquoted $name at the end of the line leaves nothing behind the flag.
        hint = QUOTE_EVENT if error.option_name == "--event" else ""
        return f"{error.option_name} {'needs a' if 'requires' in error.message else 'takes no'} value", hint
    message = error.format_message()
    unknown = re.match(r"No such command '(.*?)'\.", message, re.DOTALL)
    if unknown and ctx and isinstance(ctx.command, TyperGroup):
        name = visible(unknown[1])
        return f"no such command: {name}", did_you_mean(name, ctx.command.commands, f"{ctx.command_path} {{}}")
    extra = re.match(r"Got unexpected extra arguments?\S* \((.*)\)", message, re.DOTALL)
    if extra:
        return f"unexpected argument: {visible(extra[1])}", f"a value with blanks must be quoted; {_see_help(ctx)}"
    return visible(message), ""


def _flags(ctx: Context | None) -> list[str]:
    parameters: list[Any] = ctx.command.get_params(ctx) if ctx else []
    return [flag for parameter in parameters for flag in parameter.opts if flag.startswith("--")]


def _see_help(ctx: Context | None) -> str:
    return f"{ctx.command_path if ctx else 'mmstats'} --help shows how it is used"
