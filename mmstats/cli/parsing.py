"""Usage errors in our own form: what the parser refuses, and what it would let pass, said as the contract says it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from typer._click.core import Context, Parameter
from typer._click.exceptions import BadOptionUsage, ClickException, MissingParameter, NoSuchOption, UsageError
from typer._coercion import RuntimeParam
from typer.core import TyperCommand, TyperGroup

from mmstats.api_keys import conceal
from mmstats.errors import InvalidQuestion
from mmstats.question.parameters import QUOTE_EVENT
from mmstats.wording import did_you_mean, visible


class WrongUsage(InvalidQuestion):
    """A command line that no command takes."""


class Command(TyperCommand):
    """A command that refuses an option given twice, where the library keeps the last."""

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Parse the command's arguments.

        Raises WrongUsage for an option that may be given once and was given twice.
        """
        _take_as_given(self.get_params(ctx))
        values, order = _parsed(self, ctx, args)
        if not ctx.resilient_parsing:
            _refuse_repeats(order)
            _refuse_flags_as_values(ctx, values)
        return super().parse_args(ctx, args)

    def format_epilog(self, ctx: Context, formatter: Any) -> None:  # noqa: ARG002 - the library's signature
        """Write the examples as they stand, where the library would fill paragraphs."""
        _write_examples(self.epilog, formatter)


@dataclass(frozen=True)
class _AsGiven(RuntimeParam):
    """Text that is handed on as it was given: it is read where every door's is."""

    def _coerce_value(self, value: Any, param: object, ctx: Context) -> Any:  # noqa: ARG002 - the library's signature
        return value


def _take_as_given(parameters: Iterable[Any]) -> None:
    """Spare the library building validators, which takes longer than a small question; text and flags need none."""
    for parameter in parameters:
        kind = parameter.type_descriptor
        parameter._runtime_param = _AsGiven(kind.parameter_info, kind.annotation)


def _parsed(command: TyperCommand, ctx: Context, args: list[str]) -> tuple[Mapping[str, Any], list[Parameter]]:
    """The values given and the parameters in the order in which they were; a fault knows its command."""
    try:
        values, _, order = command.make_parser(ctx).parse_args(args=list(args))
    except UsageError as error:
        error.ctx = error.ctx or ctx
        raise
    return values, order


def _write_examples(text: str | None, formatter: Any) -> None:
    formatter.write("\n" + (text or ""))


def _refuse_repeats(order: Iterable[Parameter]) -> None:
    seen = set()
    for parameter in order:
        if parameter.name in seen and not parameter.multiple and parameter.param_type_name == "option":
            raise WrongUsage(f"{parameter.opts[0]} may be given only once")
        seen.add(parameter.name)


def _refuse_flags_as_values(ctx: Context, values: Mapping[str, Any]) -> None:
    """Refuse a flag that was taken for the value of the flag before it, whose own value is missing."""
    known = _options(ctx)
    for parameter in ctx.command.get_params(ctx):
        value = values.get(parameter.name or "")
        if value in known:
            hint = QUOTE_EVENT if parameter.name == "event" else _see_help(ctx)
            raise WrongUsage(f"{parameter.opts[0]} needs a value, not the flag {value}", hint=hint)


class Group(TyperGroup):
    """The commands in the order in which they are written."""

    def list_commands(self, ctx: Context) -> list[str]:  # noqa: ARG002 - the library's signature
        """The names of the commands."""
        return list(self.commands)

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Parse what stands before the command."""
        _take_as_given(self.get_params(ctx))
        return super().parse_args(ctx, args)

    def format_epilog(self, ctx: Context, formatter: Any) -> None:  # noqa: ARG002 - the library's signature
        """Write the examples as they stand, where the library would fill paragraphs."""
        _write_examples(self.epilog, formatter)


def wrong_usage(error: ClickException) -> WrongUsage:
    """The library's error in our words."""
    if isinstance(error, NoSuchOption):
        known = _options(error.ctx)
        hint = did_you_mean(error.option_name, known) or _see_help(error.ctx)
        return WrongUsage(f"no such option: {visible(error.option_name)}", hint=hint)
    if isinstance(error, BadOptionUsage):
        # An unquoted $name at the end of the line leaves nothing behind the flag.
        hint = QUOTE_EVENT if error.option_name == "--event" else _see_help(error.ctx)
        return WrongUsage(_option_fault(error), hint=hint)
    return _other(error)


def _option_fault(error: BadOptionUsage) -> str:
    lacks = "requires" in error.message
    return f"{error.option_name} needs a value" if lacks else f"{error.option_name} takes no value"


def _other(error: ClickException) -> WrongUsage:
    message = error.format_message()
    ctx = error.ctx if isinstance(error, UsageError) else None
    unknown = re.match(r"No such command '(.*?)'\.", message, re.DOTALL)
    if unknown and ctx is not None and isinstance(ctx.command, TyperGroup):
        name = visible(unknown[1])
        hint = did_you_mean(name, ctx.command.commands, "mmstats {}") or _see_help(ctx)
        return WrongUsage(f"no such command: {name}", hint=hint)
    extra = re.match(r"Got unexpected extra arguments?\S* \((.*)\)", message, re.DOTALL)
    if extra:
        return WrongUsage(f"unexpected argument: {visible(extra[1])}", hint=_after_blank(ctx))
    return WrongUsage(visible(message), hint=_see_help(ctx))


def _after_blank(ctx: Context | None) -> str:
    return f"a value with blanks must be quoted; {_see_help(ctx)}"


def _options(ctx: Context | None) -> list[str]:
    parameters: list[Any] = ctx.command.get_params(ctx) if ctx else []
    return [name for parameter in parameters for name in parameter.opts if name.startswith("--")]


def _see_help(ctx: Context | None) -> str:
    return f"{ctx.command_path if ctx else 'mmstats'} --help shows how it is used"


class KeyCommand(Command):
    """A command whose arguments may be secret."""

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Parse the command's arguments.

        Raises WrongUsage, without any key in it, for those that the command does not take.
        """
        try:
            return super().parse_args(ctx, args)
        except UsageError as error:
            _refuse(error)


class KeyGroup(Group):
    """Commands whose names a key may be taken for."""

    def resolve_command(self, ctx: Context, args: list[str]) -> Any:
        """Find the command that the arguments begin with.

        Raises WrongUsage, without any key in it, where there is none.
        """
        try:
            return super().resolve_command(ctx, args)
        except UsageError as error:
            meant = did_you_mean(args[0], self.commands, f"{ctx.command_path} {{}}")
            _refuse(error, meant or f"{ctx.command_path} --help shows how it is used")


def _refuse(error: UsageError, hint: str = "") -> NoReturn:
    said = wrong_usage(error)
    message = said.message
    if isinstance(error, MissingParameter) and error.param:
        message = f"{error.param.display_name_raw} is missing"
    raise WrongUsage(conceal(message), hint=conceal(hint or said.hint)) from None
