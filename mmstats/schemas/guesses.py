"""Which columns and paths of some data may serve as event columns, by their names and by what a sample holds."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from mmstats.dataset import EVENT_COLUMNS
from mmstats.schemas.outline import JSON_TEXT, NESTED, OBJECT, Outline, PathUse

REQUIRED = ("timestamp", "event_name")
# Names that columns with this meaning often have elsewhere, the likeliest first; case and signs do not matter.
KIN: Mapping[str, tuple[str, ...]] = {
    "timestamp": (
        *("ts", "time", "event_time", "event_timestamp", "datetime", "date", "created_at", "occurred_at", "sent_at"),
        *("original_timestamp", "received_at", "at"),
    ),
    "event_name": ("event", "name", "type", "event_type", "action", "kind"),
    "anonymous_id": (
        *("visitor_id", "visitor", "anon_id", "distinct_id", "user_pseudo_id", "client_id", "device_id", "user_id"),
        "uid",
    ),
    "event_id": ("message_id", "insert_id", "uuid"),
    "user_id": ("uid", "customer_id", "account_id"),
    "session_id": ("session", "visit_id"),
    "source": ("utm_source", "campaign_source"),
    "medium": ("utm_medium", "campaign_medium"),
    "campaign": ("utm_campaign", "campaign_name"),
    "country": ("country_code", "geoip_country_code", "geo_country"),
    "device_type": ("device", "device_category"),
    "browser": ("browser_name", "browser_family"),
    "os": ("os_name", "operating_system", "platform"),
    "path": ("pathname", "url_path", "page_path", "page"),
    "url": ("page_url", "current_url", "page_location", "href"),
    "referrer": ("referer", "page_referrer", "document_referrer"),
    "properties": ("props", "event_properties", "attributes"),
}
# Names that mean something else inside an object: the `name` of a campaign is none of an event.
_ONLY_AS_COLUMNS = frozenset({"action", "at", "date", "device", "kind", "name", "page", "type", "uid", "uuid"})
_AGENT = ("useragent", "httpuseragent", "agent", "ua")
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:?[0-9]{2}.*)?|[0-9]{9,19}(\.[0-9]+)?|[0-9.]+e[0-9+]+")


@dataclass(frozen=True, slots=True)
class Guess:
    """A path that may serve as an event column; `doubt` says why it may not, and is empty where little speaks for it.

    `others` are further paths that may be meant.
    """

    use: PathUse
    doubt: str = ""
    others: tuple[str, ...] = ()


def guess_columns(outline: Outline) -> dict[str, Guess]:
    """The likeliest path for each event column that has one, in the order of event columns."""
    found = {column: one for column in EVENT_COLUMNS if (one := _guess(column, outline))}
    if "timestamp" not in found and (dated := [use for use in outline.paths if _is_dated(use)]):
        others = tuple(use.text for use in dated[1:])
        found = {"timestamp": Guess(dated[0], "by its values, not by its name", others), **found}
    return found


def find_agent(outline: Outline) -> PathUse | None:
    """The path that holds user agents, by its name."""
    agents = [use for name in _AGENT for use in outline.paths if _folded(use.name) == name and _is_leaf(use)]
    return agents[0] if agents else None


def _guess(column: str, outline: Outline) -> Guess | None:
    names = [_folded(name) for name in (column, *KIN.get(column, ()))]
    named = [use for use in outline.paths if _folded(use.name) in names and _may_serve(column, use)]
    uses = [use for use in named if not (use.path.steps and _folded(use.name) in _ONLY_AS_COLUMNS)]
    if not uses:
        return None
    best, *others = sorted(uses, key=lambda use: (names.index(_folded(use.name)), len(use.path.steps)))
    return Guess(best, _doubt(column, best), tuple(use.text for use in others if use.nulls < use.rows))


def _may_serve(column: str, use: PathUse) -> bool:
    """Whether what a path holds is of the kind of an event column."""
    return _is_object(use) if column == "properties" else _is_leaf(use)


def _is_object(use: PathUse) -> bool:
    return any(kind in (OBJECT, JSON_TEXT) for kind in use.kinds)


def _is_leaf(use: PathUse) -> bool:
    return not any(kind in NESTED for kind in use.kinds)


def _doubt(column: str, use: PathUse) -> str:
    """Why a path may not serve as an event column, by what it holds."""
    if use.nulls == use.rows:
        return "null in all rows of the sample"
    if column == "timestamp" and not _is_dated(use):
        return "its values look like no instants: --timestamp-format says how they are written"
    if column in REQUIRED and use.nulls:
        return "null in some rows of the sample"
    if column == "anonymous_id" and _folded(use.name) in ("userid", "uid"):
        return "only visitors who are known by name have one"
    return ""


def _is_dated(use: PathUse) -> bool:
    """Whether a path has instants."""
    return "timestamp" in use.kinds or bool(
        use.samples and _is_leaf(use) and all(_INSTANT.fullmatch(sample) for sample in use.samples)
    )


def _folded(name: str) -> str:
    return re.sub(r"[^0-9a-z]", "", name.casefold())


def mappings(guesses: Mapping[str, Guess], served: Collection[str] = ()) -> dict[str, str]:
    """The data's names for event columns as `--map` takes them, of guesses without doubt and of what must be there.

    Left out are columns that are `served`, and those that are found under a name of their own.
    """
    sure = {column: one for column, one in guesses.items() if column in REQUIRED or not one.doubt}
    own = {"event_name": ("event_name", "event")}
    return {
        column: one.use.text
        for column, one in sure.items()
        if column not in served and one.use.text.strip().casefold() not in own.get(column, (column,))
    }


def lacking(guesses: Collection[str]) -> list[str]:
    """The columns that must be there and for which there is no guess."""
    return [column for column in REQUIRED if column not in guesses]
