"""Where an answer or a report goes: stdout, or the file of `--output`, which is written whole or not at all."""

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from mmstats.cli.terminal import Sink, standard_output
from mmstats.errors import Fault, InvalidParams, OutputError
from mmstats.interrupts import raised
from mmstats.options import Faults, Rule, Texts
from mmstats.render import DESCRIPTION_FORMATS, EXTENSIONS
from mmstats.wording import visible


def tells_format(formats: Iterable[str]) -> Rule:
    """The rule that `--format` or the name of the output's file tells one of the formats."""

    def rule(texts: Texts, values: Mapping[str, Any]) -> Faults:
        if "format" in texts:
            is_binary = values["format"] == "parquet" and values["output"] is None
            return {"format": ["cannot be parquet without --output, which names its file"]} if is_binary else {}
        known = DESCRIPTION_FORMATS if values.get("explain") else formats
        endings = [ending for ending, form in EXTENSIONS.items() if form in known]
        path = values["output"]
        if path is None or Path(path).suffix.lower() in endings:
            return {}
        fault = f"must end with {' or '.join(endings)}, not {path!r}"
        return {"output": [Fault(fault, "`format` tells what any other name holds")]}

    return rule


def choose_sink(values: Mapping[str, Any], locations: Iterable[str] = ()) -> Sink:
    """The sink that `--output` names, or stdout.

    Raises InvalidParams for a file that is one of the `locations` to read, and OutputError for one that will not be
    written: before the answer is computed, not after.
    """
    path = values["output"]
    if path is None:
        return standard_output()
    found = _status(path)
    if found and stat.S_ISDIR(found.st_mode):
        raise _unwritable(path, "it is a folder")
    if found and any(Path(one).is_file() and os.path.samestat(found, Path(one).stat()) for one in locations):
        raise InvalidParams({"output": [f"is a file to read: {visible(path)}"]}, hint="name another file")
    if _will_be_replaced(found):
        target = Path(os.path.realpath(path))
        if not target.parent.is_dir():
            raise _unwritable(path, "its folder does not exist")
        if not all(os.access(one, os.W_OK) for one in (target.parent, *([target] if found else []))):
            raise _unwritable(path, "Permission denied")
    return Sink(partial(_write, path))


def _status(path: str) -> os.stat_result | None:
    with _refused(path), contextlib.suppress(FileNotFoundError):
        return Path(path).stat()
    return None


def _will_be_replaced(found: os.stat_result | None) -> bool:
    """Whether a file is put in the place of what is there; devices, pipes and our own stdout are written straight."""
    return found is None or (stat.S_ISREG(found.st_mode) and _own_descriptor(found) is None)


def _own_descriptor(found: os.stat_result) -> int | None:
    """The one of our stdout and stderr that a file is, as `/dev/stdout` is when that goes to a file."""
    for descriptor in (1, 2):
        with contextlib.suppress(OSError):  # it is closed
            if os.path.samestat(found, os.fstat(descriptor)):
                return descriptor
    return None


def _write(path: str, content: bytes) -> None:
    """Write a file whole or not at all, but straight what cannot be replaced.

    Raises OutputError; BrokenPipeError where a reader has gone.
    """
    found = _status(path)
    with _refused(path):
        if _will_be_replaced(found):
            with raised():  # so that an interrupt leaves nothing half-written behind
                _replace(Path(os.path.realpath(path)), content, found)
        else:
            own = _own_descriptor(found) if found else None
            # Opened anew, a file would be written from its start, over what is there already.
            with open(path if own is None else os.dup(own), "wb") as stream:  # noqa: PTH123 - a descriptor is no path
                stream.write(content)


def _replace(target: Path, content: bytes, old: os.stat_result | None) -> None:
    """Put a file in the place of another, with its rights; a new one has those that the umask leaves."""
    temporary = target.with_name(f".mmstats-{os.urandom(6).hex()}.tmp")  # a folder that is read passes it over
    try:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "wb") as stream:  # noqa: PTH123
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        if old:
            temporary.chmod(stat.S_IMODE(old.st_mode))
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def _refused(path: str) -> Iterator[None]:
    """Turn what the system refuses into our error; a reader that has gone is none."""
    try:
        yield
    except BrokenPipeError:
        raise
    except (OSError, ValueError) as error:  # a ValueError for a NUL in the name
        raise _unwritable(path, getattr(error, "strerror", None) or str(error)) from None


def _unwritable(path: str, why: str) -> OutputError:
    return OutputError(f"{visible(path)}: cannot be written: {why}")
