"""The keys that open this server: those of the key file, as it is at this moment, and those given to this run."""

from collections.abc import Sequence
from datetime import UTC, datetime

from mmstats.api_keys import Key, KeyFile, StoredKey, new_key
from mmstats.errors import MmstatsError
from mmstats.serve.log import Log


class Keyring:
    """Knows keys; one that is revoked in the file is not known at the next request."""

    def __init__(self, file: KeyFile, given: Sequence[Key], log: Log) -> None:
        self._file, self._log = file, log
        self._given = tuple(StoredKey.of(key, None, datetime.now(UTC)) for key in given)
        self._stored: dict[str, list[StoredKey]] = {}
        self._state: object = ()
        self._complaint = ""
        self._decoy = StoredKey.of(new_key(), None, datetime.now(UTC))

    def knows(self, key: Key) -> bool:
        """Whether it is one of the keys; takes as long for a prefix that is unknown as for one that is not."""
        self._look()
        candidates = self._stored.get(key.prefix) or [self._decoy]
        known = [stored.matches(key) for stored in candidates]
        return any(known) and candidates != [self._decoy]

    def _look(self) -> None:
        """Read the file again if it is another than at the last look."""
        state = self._file_state()
        if state == self._state:
            return
        try:
            stored = self._file.read()
            self._state, complaint = state, ""
        except MmstatsError as error:  # nobody is let in by a file that cannot be read; it is tried again
            stored, complaint = (), error.message
        if complaint and complaint != self._complaint:
            self._log.error("keys", message=complaint)
        self._complaint = complaint
        self._stored = {}
        for one in (*self._given, *stored):
            self._stored.setdefault(one.prefix, []).append(one)

    def _file_state(self) -> object:
        """What changes whenever the file is written anew."""
        try:
            status = self._file.path.stat()
        except OSError as error:
            return error.errno
        return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
