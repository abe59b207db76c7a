"""Countries of addresses, from a database of the user's own in MaxMind's format."""

from functools import lru_cache
from typing import Any

import maxminddb

from mmstats.errors import InvalidSettings
from mmstats.wording import visible


@lru_cache(4)
def _opened(path: str) -> maxminddb.Reader:
    try:
        return maxminddb.open_database(path)
    except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
        fault = getattr(error, "strerror", None) or "no database of addresses in MaxMind's format"
        raise InvalidSettings(f"{visible(path)}: {fault}", hint="--geo-database FILE.mmdb names yours") from None


def build_of(path: str) -> str:
    """What tells a build of a database from another: its type and when it was built.

    Raises InvalidSettings for a file that is none.
    """
    about = _opened(path).metadata()
    return f"{about.database_type} {about.build_epoch}"


def country_of(address: str, database: str) -> str | None:
    """The ISO code of the country that an address is in; None for one that the database lacks, and for no address."""
    try:
        found: Any = _opened(database).get(address)
    except ValueError:
        return None
    country = found.get("country") if isinstance(found, dict) else None
    code = country.get("iso_code") if isinstance(country, dict) else country
    return code if isinstance(code, str) else None
