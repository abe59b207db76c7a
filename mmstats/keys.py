"""An API key as the contract shapes it, and what is kept of one: enough to know it again, not to make it."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime

from mmstats.visible import visible

KINDS = ("pk", "sk", "rk", "ak")
LONGEST_NAME = 100
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_KEY = re.compile(
    rf"(?P<kind>{'|'.join(KINDS)})_(?P<env>[a-z0-9]+)_(?P<prefix>[A-Za-z0-9]{{8}})_(?P<secret>[A-Za-z0-9]{{32,}})"
)
_KIND = rf"((?:{'|'.join(KINDS)})_)"
_LIKE_A_KEY = re.compile(rf"{_KIND}[a-z0-9]+_[a-z0-9]{{8}}_\S*|(?<![a-z0-9_]){_KIND}\S{{24,}}", re.IGNORECASE)
_SHAPES = {
    "prefix": re.compile(r"[A-Za-z0-9]{8}"),
    "created": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z"),
    "salt": re.compile(r"[0-9a-f]{32}"),
    "digest": re.compile(r"[0-9a-f]{64}"),
}


@dataclass(frozen=True, slots=True)
class Key:
    """A key in its four parts; only its `text` shows the secret."""

    kind: str
    env: str
    prefix: str
    secret: str = field(repr=False)

    @property
    def text(self) -> str:
        """The key as a client sends it."""
        return f"{self.kind}_{self.env}_{self.prefix}_{self.secret}"


def read_key(text: str) -> Key:
    """The key that `text` is, all of it.

    Raises ValueError, whose message ends the sentence "this parameter …" and does not repeat the text.
    """
    found = _KEY.fullmatch(text)
    if not found:
        kinds = ", ".join(KINDS)
        raise ValueError(f"must be an API key, such as rk_local_8characters_secret, of a kind among {kinds}")
    return Key(**found.groupdict())


def new_key(env: str = "local") -> Key:
    """A key of kind `rk` that nobody has: its secret is 190 random bits.

    Raises ValueError for an `env` that is not of lower-case letters and digits.
    """
    import secrets

    prefix, secret = ("".join(secrets.choice(_ALPHABET) for _ in range(length)) for length in (8, 32))
    return read_key(f"rk_{env}_{prefix}_{secret}")


def read_prefix(text: str) -> str:
    """`text` when it may be the prefix of a key.

    Raises ValueError, whose message ends the sentence "this parameter …" and does not repeat the text.
    """
    if not _SHAPES["prefix"].fullmatch(text):
        raise ValueError("must be the 8 letters and digits before a key's secret")
    return text


def read_name(text: str) -> str:
    """`text` when it may be the name of a key.

    Raises ValueError, whose message ends the sentence "this parameter …".
    """
    if not text.strip():
        raise ValueError("must not be empty")
    if len(text) > LONGEST_NAME:
        raise ValueError(f"must be at most {LONGEST_NAME} characters long, not {len(text):,}")
    if visible(text) != text:
        raise ValueError(f"must be printable, not '{visible(text)}'")
    return text


def conceal(text: str) -> str:
    """`text` with whatever looks like a key, or begins like one, cut after its kind."""
    return _LIKE_A_KEY.sub(lambda found: f"{found[1] or found[2]}…", text)


@dataclass(frozen=True, slots=True)
class StoredKey:
    """What is kept of a key: a salted SHA-256 of its text, in hexadecimal, beside its prefix and its name if any.

    Raises ValueError for a field that is not of its shape.
    """

    prefix: str
    name: str | None
    created: str
    salt: str = field(repr=False)
    digest: str = field(repr=False)

    def __post_init__(self) -> None:
        for name, shape in _SHAPES.items():
            value = getattr(self, name)
            if not isinstance(value, str) or not shape.fullmatch(value):
                raise ValueError(f"has no valid {name}")
        if not isinstance(self.name, str | None):
            raise ValueError("has no valid name")

    @classmethod
    def of(cls, key: Key, name: str | None, created: datetime) -> "StoredKey":
        """What to keep of a key that was made at an instant."""
        import secrets

        instant = created.astimezone(UTC).replace(microsecond=0, tzinfo=None)
        salt = secrets.token_hex(16)
        return cls(key.prefix, name, f"{instant.isoformat()}Z", salt, _digest(salt, key))

    def matches(self, key: Key) -> bool:
        """Whether this was kept of `key`; the time it takes tells nothing of how much of it is right."""
        import hmac

        return hmac.compare_digest(self.digest, _digest(self.salt, key))


def _digest(salt: str, key: Key) -> str:
    from hashlib import sha256

    return sha256(bytes.fromhex(salt) + key.text.encode()).hexdigest()
