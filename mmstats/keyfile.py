"""The file of the keys that are known here: replaced whole, one writer at a time, for its owner's eyes only."""

import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mmstats.errors import InvalidSettings, OutputError
from mmstats.keys import StoredKey
from mmstats.visible import visible

KEYS_VARIABLE = "MMSTATS_KEYS_FILE"
KEYS_FILE = "keys.json"
VERSION = 1
_PATIENCE = 10  # seconds that another writer may take
_DAMAGED = "restore it, or move it away and make new keys with mmstats keys create"
_ELSEWHERE = f"{KEYS_VARIABLE} may name another file to keep keys in"


def keys_file(environ: Mapping[str, str]) -> Path:
    """Where the keys are kept: in the file that the environment names, else in the user's configuration.

    Raises InvalidSettings where neither is a place that stays the same from every folder.
    """
    try:
        if environ.get(KEYS_VARIABLE):
            return Path(environ[KEYS_VARIABLE]).absolute()
    except FileNotFoundError:
        raise InvalidSettings("the working directory does not exist any more", hint="cd to one that does") from None
    from platformdirs import user_config_dir

    folder = Path(user_config_dir("mmstats"))
    # Else whoever wrote the working directory would say which keys are known.
    if not folder.is_absolute():
        raise InvalidSettings("there is no configuration folder to keep keys in", hint=f"set {KEYS_VARIABLE}")
    return folder / KEYS_FILE


class KeyFile:
    """The stored keys at a path, in the order in which they were made."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> tuple[StoredKey, ...]:
        """The keys; none where there is no file.

        Raises InvalidSettings, naming the file, for one that cannot be read or understood.
        """
        try:
            # A pipe or a device would be read for ever.
            if self.path.exists() and not self.path.is_file():
                raise self._refused("not a file", _ELSEWHERE)
            return _parsed(self.path.read_bytes())
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
        """The file to replace, at the end of links that lead to it, while nobody else writes it."""
        from filelock import FileLock, Timeout

        target = Path(os.path.realpath(self.path))
        lock = target.with_name(f"{target.name}.lock")
        try:
            _make(target.parent)
            if target.exists() and not target.is_file():  # beside a device is no place for a lock
                raise self._unwritable("not a file")
            with FileLock(lock, timeout=_PATIENCE, mode=0o600):
                _as_owned(lock, target)
                yield target
        except Timeout:
            raise self._unwritable(f"another process has held {lock} for {_PATIENCE} seconds") from None
        except FileExistsError:
            raise self._unwritable("a file stands where its folder should be") from None
        except OSError as fault:
            raise self._unwritable(str(fault.strerror)) from None

    def _refused(self, fault: str, hint: str = _DAMAGED) -> InvalidSettings:
        return InvalidSettings(visible(f"{self.path}: {fault}"), hint=hint)

    def _unwritable(self, fault: str) -> OutputError:
        return OutputError(visible(f"{self.path}: cannot be written: {fault}"), hint=_ELSEWHERE)


def _parsed(content: bytes) -> tuple[StoredKey, ...]:
    try:
        kept = json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    if not isinstance(kept, dict) or not isinstance(kept.get("keys"), list):
        raise ValueError("it holds no list of keys")
    if kept.get("version") != VERSION:
        raise ValueError(f"its version is not {VERSION}")
    keys = tuple(_stored(entry, number) for number, entry in enumerate(kept["keys"], 1))
    if len({key.prefix for key in keys}) < len(keys):
        raise ValueError("two keys have the same prefix")
    return keys


def _stored(entry: Any, number: int) -> StoredKey:
    try:
        return StoredKey(**entry)
    except TypeError:
        raise ValueError(f"key {number} has not the fields of a key") from None
    except ValueError as fault:
        raise ValueError(f"key {number} {fault}") from None


def _make(folder: Path) -> None:
    """Make a folder and those above it, each for its owner alone."""
    if not folder.is_dir():
        _make(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def _replace(target: Path, keys: Sequence[StoredKey]) -> None:
    """Write the file whole or not at all; whose it was, it stays."""
    text = json.dumps({"version": VERSION, "keys": list(map(asdict, keys))}, indent=2) + "\n"
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".tmp")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        _as_owned(temporary, target)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _as_owned(temporary: Path, target: Path) -> None:
    """Give the owner what is the owner's: a server must still read the file that root has added a key to."""
    temporary.chmod(0o600)  # a umask may have taken even that
    if target.exists():
        old = target.stat()
        if old.st_uid != temporary.stat().st_uid:
            os.chown(temporary, old.st_uid, old.st_gid)
