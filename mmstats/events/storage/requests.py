"""Requests to a store, each waited for; an interrupt gives it up."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

import obstore
from obstore.exceptions import BaseError

from mmstats.events.storage.trouble import trouble
from mmstats.events.storage.waiting import answered

FAULTS = (BaseError, OSError, ValueError)
_PAGE = 1000


@contextmanager
def told(location: str) -> Iterator[None]:
    """Inside the block, what the library raises is told in our words."""
    try:
        yield
    except FAULTS as error:
        raise trouble(location, error) from None


def head(library: Any, key: str) -> Mapping[str, Any]:
    """What the store says of an object."""
    return answered(_head(library, key))


async def _head(library: Any, key: str) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", await obstore.head_async(library, key))


def pages(library: Any, prefix: str, offset: str | None) -> Iterator[Sequence[Mapping[str, Any]]]:
    """What the store says of the objects below a prefix, and behind `offset`, by pages."""
    listed = obstore.list(library, prefix or None, offset=offset, chunk_size=_PAGE)
    while (page := answered(_next(listed))) is not None:
        yield page


async def _next(listed: Any) -> Any:
    return await anext(aiter(listed), None)


def got(library: Any, key: str, options: Mapping[str, Any]) -> bytes:
    """The bytes of an object, of a range of it where `options` say one."""
    return answered(_got(library, key, options))


async def _got(library: Any, key: str, options: Any) -> bytes:
    return bytes(await (await obstore.get_async(library, key, options=options)).bytes_async())
