"""Outputs of questions, given again to the byte before anything else of the program is loaded.

An output is kept in a file of its own, under a key of all that the question was asked with: its words, the folder, the
environment, the streams and the program. With it are kept the states of the files and folders that decided it, and it
is recalled while all of these are the same. In any doubt the question is answered the long way, without a word.
"""

import marshal
import os
import sys
import time
from _blake2 import blake2b  # what hashlib gives, which loads OpenSSL too and takes 2 ms
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from stat import S_ISREG

from mmstats.file_states import route, routes, state
from mmstats.version import build

CACHE_VARIABLE = "MMSTATS_CACHE_DIR"
MOST_ENTRIES = 1_000

_FOLDER = "outputs"  # in the cache's
_SHARE = 16  # of a cache, one part is for outputs
_DIGEST_BYTES = 16
# What differs from shell to shell, and changes no answer.
_OF_THE_SHELL = {
    *("_", "GPG_TTY", "OLDPWD", "SHLVL", "SSH_AUTH_SOCK", "SSH_CLIENT", "SSH_CONNECTION", "SSH_TTY"),
    *("TERM_SESSION_ID", "TMUX_PANE", "WINDOWID", "XDG_SESSION_ID"),
}

Written = Sequence[bytes | str]  # in order: bytes to stdout, text to stderr


class Asked:
    """A question as it is asked here and now, before anything is looked at: the key of its output, and its file."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self.began_ns = time.time_ns()
        self.screen = _screen()
        asked_with = (list(arguments), os.getcwd(), self.screen, _environment(), _program())
        self.key = blake2b(repr(asked_with).encode("utf-8", "surrogatepass"), digest_size=32).digest()
        self.folder = os.path.join(_cache_folder(), _FOLDER)
        self.file = os.path.join(self.folder, self.key.hex())


class Recallable:
    """What decided an output beside its key: the states of files and folders by path, as they were when looked at.

    What was changed less than `settle_ns` nanoseconds before may change once more and look the same. `cache_folder` and
    `most_bytes` are those of the cache that the output may be kept in.
    """

    def __init__(self, seen: Mapping[str, str | None], settle_ns: int, cache_folder: str, most_bytes: int) -> None:
        self.seen, self.settle_ns = seen, settle_ns
        self.cache_folder, self.most_bytes = cache_folder, most_bytes


def asked(arguments: Sequence[str]) -> Asked | None:
    """The question that a command line asks; None where its output is not to be recalled."""
    if os.name != "posix" or list(arguments[:1]) != ["query"]:  # elsewhere no file says when it was changed
        return None
    if sys.stdout is None or sys.stderr is None:
        return None
    with suppress(OSError, ValueError):  # such as a folder that is gone
        return Asked(arguments)
    return None


def recall(question: Asked) -> int | None:
    """Write the output kept for a question and return the exit code; None where there is none that still holds.

    Raises OSError where stdout does not take it.
    """
    written = _find(question)
    if written is None:
        return None
    for one in written:
        if isinstance(one, str):
            with suppress(OSError, ValueError):  # as when it is written first
                sys.stderr.write(one)
                sys.stderr.flush()
            continue
        try:
            sys.stdout.buffer.write(one)
            sys.stdout.buffer.flush()
        except BrokenPipeError:  # a reader that has seen enough; the interpreter would complain when it ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            break
    return 0


def keep(question: Asked, found: Recallable, written: Written) -> None:
    """Keep the output of a question that was answered, unless what decided it has changed, or may do so unnoticed."""
    with suppress(OSError, ValueError):
        content = marshal.dumps((dict(found.seen), routes(found.seen), list(written)))
        most_bytes = share(found.most_bytes)
        if len(content) > most_bytes // 8 or _screen() != question.screen or not _is_settled(question, found):
            return
        folder = os.path.join(found.cache_folder, _FOLDER)
        os.makedirs(folder, mode=0o700, exist_ok=True)
        # Where this platform's caches are elsewhere than `_cache_folder` says, none would find it.
        if os.path.samefile(folder, question.folder):
            _make_room(found.cache_folder, most_bytes - len(content))
            _write(question.file, _digest(question, content) + content)


def share(most_bytes: int) -> int:
    """How much of a cache of so many bytes outputs may take."""
    return most_bytes // _SHARE


def kept(cache_folder: str) -> Iterator[tuple[str, os.stat_result]]:
    """The files in which a cache keeps outputs."""
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(os.path.join(cache_folder, _FOLDER)) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                if entry.is_file(follow_symlinks=False):
                    yield entry.path, entry.stat(follow_symlinks=False)


def clear(cache_folder: str) -> None:
    """Remove the outputs that a cache keeps; raises OSError for one that cannot be removed."""
    for path, _ in kept(cache_folder):
        with suppress(FileNotFoundError):
            os.unlink(path)
    with suppress(OSError):
        os.rmdir(os.path.join(cache_folder, _FOLDER))


def _screen() -> list[object]:
    """Who reads what is written, as far as it is shown accordingly."""
    return [
        (stream.encoding, stream.errors, stream.isatty() and os.get_terminal_size(stream.fileno()))
        for stream in (sys.stdout, sys.stderr)
    ]


def _environment() -> object:
    """Who asks, and the variables: any of them may be one that some library goes by."""
    user = os.getuid(), os.geteuid(), os.getgid(), os.getegid(), sorted(os.getgroups())
    return user, sorted(item for item in os.environ.items() if item[0] not in _OF_THE_SHELL)


def _program() -> object:
    """The interpreter, its flags, this build, and the folders that modules are in: they change with every library."""
    folders = [(folder, state(folder or ".")[0]) for folder in sys.path]
    return sys.version, sys.executable, sys.flags, sys.orig_argv, sys.warnoptions, build(), folders


def _cache_folder() -> str:
    """The user's cache as `platformdirs` gives it, without loading that, which takes 15 ms."""
    if named := os.environ.get(CACHE_VARIABLE):
        return named
    own = os.path.expanduser("~/Library/Caches" if sys.platform == "darwin" else "~/.cache")
    return os.path.join(os.environ.get("XDG_CACHE_HOME", "").strip() or own, "mmstats")


def _find(question: Asked) -> Written | None:
    """The output kept for a question, if it still holds; a file that is damaged or somebody else's is dropped."""
    try:
        # A pipe in its place is not waited for.
        with open(os.open(question.file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as stream:
            status = os.fstat(stream.fileno())
            is_ours = S_ISREG(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o022
            content = stream.read() if is_ours else b""
        digest, content = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
        if digest != _digest(question, content):
            os.unlink(question.file)
            return None
        seen, links, written = marshal.loads(content)  # noqa: S302 - it is ours, and whole
        holds = all(state(path)[0] == known for path, known in seen.items())
        return written if holds and all(route(path) == known for path, known in links.items()) else None
    except Exception:  # whatever it is, the question is answered the long way
        return None


def _is_settled(question: Asked, found: Recallable) -> bool:
    """Whether all that was seen is as it was then, and was so for some time when the question was asked."""
    for path, known in found.seen.items():
        now, changed = state(path)
        if now != known or question.began_ns - changed <= found.settle_ns:
            return False
    return True


def _make_room(cache_folder: str, most_bytes: int) -> None:
    """Remove the oldest outputs until they take at most so many bytes, and one more may be kept."""
    files = sorted((status.st_mtime_ns, path, status.st_size) for path, status in kept(cache_folder))
    size = sum(file[-1] for file in files)
    while files and (size > most_bytes or len(files) >= MOST_ENTRIES):
        _, path, freed = files.pop(0)
        with suppress(FileNotFoundError):
            os.unlink(path)
        size -= freed


def _write(path: str, content: bytes) -> None:
    """Write a file for its owner alone, whole or not at all."""
    temporary = f"{path}.{os.urandom(6).hex()}"
    try:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            stream.write(content)
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def _digest(question: Asked, content: bytes) -> bytes:
    digest = blake2b(question.key, digest_size=_DIGEST_BYTES)
    digest.update(content)
    return digest.digest()
