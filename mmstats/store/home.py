"""Where a store is kept: a folder, or a prefix of an object store; each changes it as a whole in its own way."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

from mmstats.files.manifest import Manifest, StoreFile
from mmstats.limits import Limits
from mmstats.storage.url import scheme_of


class Overtaken(Exception):
    """Another import has changed the store since this one began; it is to begin anew."""


class Home(Protocol):
    """A store in the hands of one import; `scan` is what the engine is told to read its files."""

    @property
    def manifest(self) -> Manifest:
        """What was in it when it was opened."""
        ...

    @property
    def scan(self) -> Mapping[str, Any]:
        """What the engine is told, beside the paths, when it reads files of it."""
        ...

    def new_file(self) -> Path:
        """Where to write a file under a name that no other has or had."""
        ...

    def find(self, file: StoreFile) -> str:
        """Where a file lies, be it new or long in the store."""
        ...

    def commit(self, manifest: Manifest) -> None:
        """Make the store what the manifest says, all at once; raises Overtaken where another import came before."""
        ...


class _Kind(Protocol):
    """A module that opens stores of one kind."""

    def opened(
        self, location: str, options: Mapping[str, str], say: Callable[[str], None], limits: Limits
    ) -> AbstractContextManager[Home]: ...

    def check_free(self, location: str, options: Mapping[str, str]) -> None: ...


def kind_of(location: str) -> _Kind:
    """Who opens the store at a location; what it takes to do so from afar is imported only there."""
    return cast(_Kind, import_module("mmstats.store.folder" if scheme_of(location) is None else "mmstats.store.bucket"))
