"""What optional features need: the packages of an extra, as the distribution's own metadata names them."""

import re
from pathlib import Path

DISTRIBUTION = "mmstats-cli"  # the public index has another project under the name of the import and the command


def install_hint(extra: str) -> str:
    """The command that installs what an extra needs.

    It names the packages themselves and not `mmstats-cli[extra]`: they are on the index wherever mmstats came from.
    """
    return " ".join(["pip install", *(f"'{package}'" for package in requirements(extra))])


def requirements(extra: str) -> list[str]:
    """The packages of an extra with the versions that are accepted, such as `boto3>=1.40,<2`."""
    from importlib.metadata import PackageNotFoundError, requires  # takes 15 ms, and only an error needs it

    try:
        required = requires(DISTRIBUTION) or []
    except PackageNotFoundError:  # a checkout that was never installed
        return _declared_in_checkout(extra)
    marked = [line.partition(";") for line in required]
    return [name.strip() for name, _, marker in marked if re.search(rf"""extra == ['"]{extra}['"]""", marker)]


def _declared_in_checkout(extra: str) -> list[str]:
    import tomllib

    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))["project"]
    return [str(package) for package in project["optional-dependencies"][extra]]
