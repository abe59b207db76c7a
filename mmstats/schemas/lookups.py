"""What steps look up beside the data: user agents by a library, addresses in a database of the user's own."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from importlib.util import find_spec

from mmstats.derivation import Derivation, Schema, StepName, steps_of
from mmstats.errors import InvalidParams
from mmstats.extras import install_hint
from mmstats.wording import visible

AGENT_TABLE = 1  # the version of our table of devices
# The steps that look something up, each with the package and the extra that it needs.
_NEEDS: dict[StepName, tuple[str, str]] = {"agent": ("ua_parser", "agents"), "geo": ("maxminddb", "geo")}


def identity(schema: Schema, geo_database: str | None) -> str:
    """What else than the schema decides what it makes of events: the releases of tables and databases it looks up.

    Of what is not there it says nothing: a question that needs it is refused.
    """
    steps = steps_in(schema.columns.values())
    said = []
    if "agent" in steps and find_spec("ua_parser"):
        from importlib.metadata import version

        said.append(f"agents {AGENT_TABLE} {version('ua-parser')} {version('ua-parser-builtins')}")
    if "geo" in steps and geo_database and find_spec("maxminddb"):
        from mmstats.schemas.geo import build_of

        said.append(build_of(geo_database))
    return ", ".join(said)


def steps_in(derivations: Iterable[Derivation]) -> frozenset[StepName]:
    """The steps in some derivations."""
    return frozenset[StepName]().union(*map(steps_of, derivations))


def lacking(derivation: Derivation, geo_database: str | None) -> tuple[str, str]:
    """What a derivation needs that is not there, and how to get it; both empty where it has all."""
    for step, (package, extra) in _NEEDS.items():
        if step in steps_of(derivation) and find_spec(package) is None:
            return f"the package {package.replace('_', '-')}", install_hint(extra)
    if "geo" in steps_of(derivation) and not geo_database:
        return "a database of addresses", "--geo-database FILE.mmdb names yours, or MMSTATS_GEO_DATABASE"
    return "", ""


def without_lacking(schema: Schema, geo_database: str | None) -> tuple[Schema, list[str]]:
    """A schema without the columns that need what is not there, and a sentence for each of these."""
    needs = {name: lacking(one, geo_database) for name, one in schema.columns.items()}
    sentences = [f"{name} is left out, since it needs {what}: {hint}" for name, (what, hint) in needs.items() if what]
    columns = {name: one for name, one in schema.columns.items() if not needs[name][0]}
    return replace(schema, columns=columns), sentences


def require(derivations: Mapping[str, Derivation], geo_database: str | None) -> None:
    """Raise InvalidParams where one of some event columns' derivations needs what is not there."""
    for column, derivation in derivations.items():
        what, hint = lacking(derivation, geo_database)
        if what:
            raise InvalidParams({"schema": [f"needs {what} for {visible(column)}"]}, hint=hint)
