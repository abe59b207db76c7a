"""Everything mmstats raises on purpose, in the domain's words; doors turn it into a status or an exit code.

MmstatsError
├── InvalidQuestion          the question is wrong
│   ├── InvalidParams        parameters missing, malformed, out of range, unknown or repeated
│   └── InvalidGroupBy       a grouping column outside the allow-list
├── InvalidSettings          a settings file, an environment variable or a combination of flags is wrong
├── DatasetError             the events cannot be had
│   ├── NotEvents            the dataset is not there, or what is there is not events
│   └── Unreadable           a file that is there cannot be opened or decoded
│       ├── BadRow           a row that cannot be read, named by file and line
│       ├── Changed          a file changed while it was read
│       └── OutOfResources   the system grants no more memory, threads or open files; no file is at fault
├── TooMuchMemory            the answer takes more memory than it may
└── OutputError              an output cannot be written
"""

from collections.abc import Iterable, Mapping, Sequence

from mmstats.wording import size_text


def _rebuilt(kind: "type[MmstatsError]", args: tuple[object, ...], state: dict[str, object]) -> "MmstatsError":
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class MmstatsError(Exception):
    """Base of every error that mmstats raises on purpose.

    `hint` says what to do about it, or is empty.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        """Pickled whole: an error may cross from a worker process."""
        return _rebuilt, (type(self), self.args, self.__dict__)


class InvalidQuestion(MmstatsError):
    """The question itself is wrong; the data was not touched."""


class InvalidParams(InvalidQuestion):
    """Parameters that are missing, malformed, out of range, unknown or repeated.

    `field_errors` maps each wrong parameter, by its name in the API, to what is wrong with it.
    """

    def __init__(self, field_errors: Mapping[str, Sequence[str]], *, hint: str = "") -> None:
        self.field_errors = {name: list(faults) for name, faults in field_errors.items()}
        super().__init__(self.sentence(), hint=hint)

    def sentence(self, prefix: str = "") -> str:
        """All faults in one line, each parameter's name written as `prefix` wants it (`--` and dashes, or bare)."""
        return "; ".join(
            f"{prefix}{name.replace('_', '-') if prefix else name} {fault}"
            for name, faults in self.field_errors.items()
            for fault in faults
        )


class InvalidGroupBy(InvalidQuestion):
    """Grouping columns outside the allow-list.

    `invalid` are the offenders, `allowed` the columns one may group by.
    """

    def __init__(self, invalid: Iterable[str], allowed: Sequence[str], *, hint: str = "") -> None:
        self.invalid = list(invalid)
        self.allowed = list(allowed)
        super().__init__(f"cannot group by {', '.join(map(repr, self.invalid))}", hint=hint)


class InvalidSettings(MmstatsError):
    """A settings file, an environment variable or a combination of flags that cannot be followed."""


class DatasetError(MmstatsError):
    """The events cannot be had."""


class NotEvents(DatasetError):
    """The dataset is not there, or what is there is not events."""


class Unreadable(DatasetError):
    """A file that is there cannot be opened or decoded."""


class BadRow(Unreadable):
    """A row that cannot be read, named by its file and its line or row."""


class Changed(Unreadable):
    """A file is another version than it was found to be, or gone; when it is found again it can be read."""


class OutOfResources(Unreadable):
    """The system grants no more memory, threads or open files; no file is at fault."""


class TooMuchMemory(MmstatsError):
    """The answer takes more memory than it may; `size` is the bound, in bytes.

    No InvalidQuestion: the data was read, and with a higher bound the same question is answered. But what helps is to
    change the question or a flag, so that the command line ends as it does for a wrong one; the data is not at fault.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        hint = "a shorter range or fewer group-by columns take less; --max-memory is the bound"
        super().__init__(f"the question needs more than {size_text(size)} of memory", hint=hint)


class OutputError(MmstatsError):
    """An output, store, key file or port cannot be written or bound."""
