"""Objects written: under names of their own, or in place of what was found and nothing else."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import obstore
from obstore.exceptions import AlreadyExistsError, PreconditionError

from mmstats.errors import Unreadable
from mmstats.events.storage.objects import Objects
from mmstats.events.storage.requests import FAULTS, told
from mmstats.events.storage.trouble import trouble
from mmstats.wording import visible

_NO_TAG = "import into a store that tells objects' versions by strong ETags, or on disk"


class Changes:
    """Changes of the objects of one bucket."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def read(self, key: str, asked: str = "") -> bytes | None:
        """All of a small object as it is now, None where there is none; then it is known."""
        with told(asked or self._objects.path(key)), suppress(FileNotFoundError):
            found = obstore.get(self._objects.library, key)
            self._objects.note(cast(Mapping[str, Any], found.meta))
            return bytes(found.bytes())
        return None

    def written(self, path: str) -> datetime:
        """When an object that was found was written, by the store's clock."""
        return self._objects.written[path]

    def tag(self, path: str) -> str:
        """The store's tag of an object when it was last found, empty for one that was not."""
        return self._objects.tags.get(path, "")

    def write(self, key: str, file: Path) -> None:
        """Upload a file under a key that nobody else uses."""
        with told(self._objects.path(key)):
            obstore.put(self._objects.library, key, file)

    def replace(self, key: str, content: bytes, *, is_new: bool) -> bool:
        """Write an object if it is what was found of it, or as a new one if nothing was; whether that was so."""
        path = self._objects.path(key)
        tag = self.tag(path)
        if not (is_new or tag):
            raise Unreadable(f"{visible(path)}: the store has no tag of it to replace it by", hint=_NO_TAG)
        try:
            put = obstore.put(self._objects.library, key, content, mode="create" if is_new else {"e_tag": tag})
        except (AlreadyExistsError, PreconditionError):
            return False
        except FAULTS as error:
            raise trouble(path, error) from None
        self._objects.tags.pop(path, None)
        if put["e_tag"]:
            self._objects.tags[path] = put["e_tag"]
        return True

    def remove(self, keys: Sequence[str]) -> None:
        """Remove objects."""
        if keys:
            with told(self._objects.path("")):
                obstore.delete(self._objects.library, keys)
