"""API keys of this server: their form, and the file that stores a digest of each."""

import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from mmstats.errors import InvalidSettings, OutputError
from mmstats.wording import visible

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
    """The key that the whole text is.

    Raises ValueError with the rest of the sentence "this option …"; it does not repeat the text.
    """
    found = _KEY.fullmatch(text)
    if not found:
        kinds = ", ".join(KINDS)
        raise ValueError(f"must be an API key, such as rk_local_8characters_secret, of a kind among {kinds}")
    return Key(**found.groupdict())


def new_key(env: str = "local") -> Key:
    """A new key of kind `rk`, whose secret is 190 random bits.

    Raises ValueError for an `env` that is not of lower-case letters and digits.
    """
    import secrets

    prefix, secret = ("".join(secrets.choice(_ALPHABET) for _ in range(length)) for length in (8, 32))
    return read_key(f"rk_{env}_{prefix}_{secret}")


def read_prefix(text: str) -> str:
    """`text` when it may be the prefix of a key.

    Raises ValueError with the rest of the sentence "this option …"; it does not repeat the text.
    """
    if not _SHAPES["prefix"].fullmatch(text):
        raise ValueError("must be the 8 letters and digits before a key's secret")
    return text


def read_name(text: str) -> str:
    """`text` when it may be the name of a key.

    Raises ValueError with the rest of the sentence "this option …".
    """
    if not text.strip():
        raise ValueError("must not be empty")
    if len(text) > LONGEST_NAME:
        raise ValueError(f"must be at most {LONGEST_NAME} characters long, not {len(text):,}")
    if visible(text) != text:
        raise ValueError(f"must be printable, not '{visible(text)}'")
    return text


def conceal(text: str) -> str:
    """`text` with everything that looks like a key, or begins like one, cut after the kind."""
    if "k_" not in text.lower():  # no kind, as in most texts of a log: the expression takes far longer
        return text
    return _LIKE_A_KEY.sub(lambda found: f"{found[1] or found[2]}…", text)


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key as it is stored: its prefix, its name if it has one, and a salted SHA-256 of its text in hexadecimal.

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
        """The stored form of a key that was created at an instant."""
        import secrets

        instant = created.astimezone(UTC).replace(microsecond=0, tzinfo=None)
        salt = secrets.token_hex(16)
        return cls(key.prefix, name, f"{instant.isoformat()}Z", salt, _digest(salt, key))

    def matches(self, key: Key) -> bool:
        """Whether it is the stored form of `key`, compared in constant time."""
        import hmac

        return hmac.compare_digest(self.digest, _digest(self.salt, key))


def _digest(salt: str, key: Key) -> str:
    from hashlib import sha256

    return sha256(bytes.fromhex(salt) + key.text.encode()).hexdigest()


KEYS_VARIABLE = "MMSTATS_KEYS_FILE"
VERSION = 1
LOCK_SECONDS = 10  # that another writer may take
_DAMAGED = "restore it, or move it away and make new keys with mmstats keys create"
_ELSEWHERE = f"{KEYS_VARIABLE} may name another file to keep keys in"


def keys_file(environ: Mapping[str, str]) -> Path:
    """The file of the keys: the one that the environment names, else one in the user's configuration folder.

    Raises InvalidSettings where neither is a path that is the same from every working directory.
    """
    try:
        if environ.get(KEYS_VARIABLE):
            return Path(environ[KEYS_VARIABLE]).absolute()
    except FileNotFoundError:
        raise InvalidSettings("the working directory does not exist any more", hint="cd to one that does") from None
    from platformdirs import user_config_dir

    folder = Path(user_config_dir("mmstats"))
    # Else a file that somebody else put into the working directory could add keys.
    if not folder.is_absolute():
        raise InvalidSettings("there is no configuration folder to keep keys in", hint=f"set {KEYS_VARIABLE}")
    return folder / "keys.json"


class KeyFile:
    """The stored keys at a path, in the order in which they were added."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> tuple[StoredKey, ...]:
        """The keys; none where there is no file.

        Raises InvalidSettings, naming the file, for one that cannot be read or understood.
        """
        try:
            # Reading a pipe or a device may never end.
            if self.path.exists() and not self.path.is_file():
                raise self._refused("not a file", _ELSEWHERE)
            return _parse(self.path.read_bytes())
        except FileNotFoundError:
            return ()
        except OSError as fault:
            raise self._refused(f"cannot be read: {fault.strerror}", _ELSEWHERE) from None
        except (ValueError, RecursionError) as fault:
            raise self._refused(f"not a file of keys: {fault}") from None

    def add(self, stored: StoredKey) -> None:
        """Add a key.

        Raises ValueError for a prefix that is there already, InvalidSettings as `read` does, and OutputError,
        naming the file, when it cannot be written.
        """
        with self._locked() as target:
            keys = self.read()
            if any(key.prefix == stored.prefix for key in keys):
                raise ValueError(f"a key of prefix {stored.prefix} exists already")
            _replace(target, [*keys, stored])

    def remove(self, prefix: str) -> StoredKey:
        """Remove the key of a prefix, and return it.

        Raises KeyError for a prefix that is not there, else as `add` does.
        """
        with self._locked() as target:
            keys = {key.prefix: key for key in self.read()}
            stored = keys.pop(prefix)
            _replace(target, list(keys.values()))
        return stored

    @contextmanager
    def _locked(self) -> Iterator[Path]:
        """Keep others from writing the file; gives the file to replace, to which the path may be a link."""
        from filelock import FileLock, Timeout

        target = Path(os.path.realpath(self.path))
        lock = target.with_name(f"{target.name}.lock")
        try:
            _make_private(target.parent)
            if target.exists() and not target.is_file():  # beside a device is no place for a lock
                raise self._unwritable("not a file")
            with FileLock(lock, timeout=LOCK_SECONDS, mode=0o600):
                _keep_owner(lock, target)
                yield target
        except Timeout:
            raise self._unwritable(f"another process has held {lock} for {LOCK_SECONDS} seconds") from None
        except FileExistsError:
            raise self._unwritable("a file stands where its folder should be") from None
        except OSError as fault:
            raise self._unwritable(str(fault.strerror)) from None

    def _refused(self, fault: str, hint: str = _DAMAGED) -> InvalidSettings:
        return InvalidSettings(visible(f"{self.path}: {fault}"), hint=hint)

    def _unwritable(self, fault: str) -> OutputError:
        return OutputError(visible(f"{self.path}: cannot be written: {fault}"), hint=_ELSEWHERE)


def _parse(content: bytes) -> tuple[StoredKey, ...]:
    try:
        stored = json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    if not isinstance(stored, dict) or not isinstance(stored.get("keys"), list):
        raise ValueError("it holds no list of keys")
    if stored.get("version") != VERSION:
        raise ValueError(f"its version is not {VERSION}")
    keys = []
    for number, entry in enumerate(stored["keys"], 1):
        try:
            keys.append(StoredKey(**entry))
        except TypeError:
            raise ValueError(f"key {number} has not the fields of a key") from None
        except ValueError as fault:
            raise ValueError(f"key {number} {fault}") from None
    if len({key.prefix for key in keys}) < len(keys):
        raise ValueError("two keys have the same prefix")
    return tuple(keys)


def _make_private(folder: Path) -> None:
    """Make a folder and those above it, each for its owner alone."""
    if not folder.is_dir():
        _make_private(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def _replace(target: Path, keys: Sequence[StoredKey]) -> None:
    """Write the file whole or not at all; it keeps its owner."""
    text = json.dumps({"version": VERSION, "keys": list(map(asdict, keys))}, indent=2) + "\n"
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".tmp")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        _keep_owner(temporary, target)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _keep_owner(temporary: Path, target: Path) -> None:
    """Give a file the owner of the one that it replaces: a server must still read what root has written."""
    temporary.chmod(0o600)  # a umask may have taken the owner's own rights
    if target.exists():
        old = target.stat()
        if old.st_uid != temporary.stat().st_uid:
            os.chown(temporary, old.st_uid, old.st_gid)
