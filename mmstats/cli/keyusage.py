"""Usage errors of `mmstats keys`: a key that stands in the wrong place of a command line is not repeated."""

from typing import Any, NoReturn

from typer._click.core import Context
from typer._click.exceptions import MissingParameter, UsageError

from mmstats.api_keys import conceal
from mmstats.cli.usage import Command, Group, WrongUsage, wrong_usage
from mmstats.wording import did_you_mean


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
