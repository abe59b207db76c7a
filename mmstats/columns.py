"""The columns that an event may have, and the text forms in which a user says what the data calls them."""

from mmstats.suggest import did_you_mean

EVENT_COLUMNS: tuple[str, ...] = (
    "timestamp",
    "event_name",
    "event_id",
    "anonymous_id",
    "user_id",
    "session_id",
    "source",
    "medium",
    "campaign",
    "country",
    "device_type",
    "browser",
    "os",
    "path",
    "url",
    "referrer",
    "properties",
)


def read_mapping(text: str) -> tuple[str, str]:
    """The event column and the data's name for it that `column=name` gives; the name may hold further `=`.

    Raises ValueError, whose message ends the sentence "--map …".
    """
    column, equals, name = text.partition("=")
    if not equals:
        raise ValueError(f"must be column=name, such as event_name=type, not {text!r}")
    if not column:
        raise ValueError(f"has no event column before the '=' in {text!r}")
    if not name:
        raise ValueError(f"has no name after the '=' in {text!r}")
    return read_column(column), name


def read_column(text: str) -> str:
    """The event column that `text` names.

    Raises ValueError, whose message ends the sentence "this setting …".
    """
    if text in EVENT_COLUMNS:
        return text
    # `event` is what others call the event's name, but by its letters event_id is nearer.
    meant = did_you_mean("event_name" if text == "event" else text, EVENT_COLUMNS)
    known = f"event columns: {', '.join(EVENT_COLUMNS)}"
    raise ValueError(f"names {text!r}, which is no event column; {meant or known}")
