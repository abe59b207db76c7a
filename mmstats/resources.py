"""What the system grants a process: memory, threads and open files, and how a lack of them is recognised."""

import errno
import os
import re
from contextlib import suppress
from dataclasses import dataclass

from mmstats.errors import MmstatsError, OutOfResources, Unreadable
from mmstats.wording import size_text, visible

# What questions over a million rows were seen to map on two cores, most of it unused. With less the engine fails as
# nobody can catch: it ends the process, or a thread of it dies and is waited for.
_ENGINE_BYTES = 800 << 20
_ENGINE_BYTES_A_CORE = 32 << 20
_M_ARENA_MAX = -8  # glibc's mallopt


@dataclass(frozen=True, slots=True)
class _Resource:
    """Something that may be lacking: by what numbers and texts of errors that shows, and which limit it has."""

    name: str
    limit: str  # its name in the module `resource`
    flag: str  # of the shell's ulimit
    errnos: tuple[int, ...]
    pattern: str


_RESOURCES = (
    _Resource("open files", "RLIMIT_NOFILE", "-n", (errno.EMFILE, errno.ENFILE), r"\(os error 2[34]\)|Too many open"),
    _Resource(
        "threads",
        "RLIMIT_NPROC",
        "-u",
        (),
        r"can't start new thread|[Ss]pawn (worker )?thread|ThreadPoolBuildError|launch worker thread",
    ),
    _Resource(
        "memory",
        "RLIMIT_AS",
        "-v",
        (errno.ENOMEM,),
        r"\(os error 12\)|failed to map segment|Cannot allocate memory|alloc of size \d+ failed|memory allocation of",
    ),
)


def lack_in(error: BaseException) -> OutOfResources | None:
    """The lack of memory, threads or open files that an error of Python, a library or the engine comes from, if any.

    An error of our own says what it means already, and a number what it is: the texts of both may hold names of files.
    """
    if isinstance(error, MmstatsError):
        return error if isinstance(error, OutOfResources) else None
    number, text = getattr(error, "errno", None), str(error)
    for resource in _RESOURCES:
        if number in resource.errnos if number is not None else re.search(resource.pattern, text):
            return _lack(resource)
    return _lack(_RESOURCES[-1]) if isinstance(error, MemoryError) else None


def refused(name: object, error: OSError) -> Unreadable:
    """The error for a file that the system does not let us read; `name` is what messages call it."""
    hint = "may this user read it?" if isinstance(error, PermissionError) else ""
    return lack_in(error) or Unreadable(f"{visible(str(name))}: {error.strerror or error}", hint=hint)


def fit_address_space() -> None:
    """Have the engine map little where this process may not map much; called before the engine is loaded.

    Raises OutOfResources where that is too little.
    """
    limit = _limit_of("RLIMIT_AS")
    if limit is None:
        return
    needed = _ENGINE_BYTES + max(0, (os.cpu_count() or 1) - 2) * _ENGINE_BYTES_A_CORE
    if limit < needed:
        fault = f"this process may map {size_text(limit)} of memory, and the engine needs {size_text(needed)}"
        raise OutOfResources(fault, hint="raise the limit with ulimit -v; --max-memory bounds what is really used")
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")  # others reserve a GiB at once
    import ctypes

    with suppress(AttributeError, OSError):  # not on glibc, which reserves 64 MiB for each thread
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)


def _lack(resource: _Resource) -> OutOfResources:
    limit = _limit_of(resource.limit)
    shown = "" if limit is None else f", whose limit is {size_text(limit) if resource.flag == '-v' else f'{limit:,}'}"
    hint = "what else runs on this machine?" if limit is None else f"raise the limit with ulimit {resource.flag}"
    return OutOfResources(f"the system grants no more {resource.name}{shown}", hint=hint)


def _limit_of(name: str) -> int | None:
    """A limit of this process, in the unit that the system has it in; None where there is none."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    limit, _ = resource.getrlimit(getattr(resource, name))
    return None if limit == resource.RLIM_INFINITY else limit
