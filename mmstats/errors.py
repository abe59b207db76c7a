"""Everything mmstats raises on purpose, in the domain's words; doors turn it into a status or an exit code.

MmstatsError
├── InvalidQuestion          the question is wrong
│   ├── InvalidParams        parameters missing, malformed, out of range, unknown or repeated
│   └── InvalidGroupBy       a grouping column outside the allow-list
├── InvalidSettings          a settings file, an environment variable or a combination of flags is wrong
├── DatasetError             the events cannot be had
│   ├── NotEvents            the dataset is not there, or what is there is not events
│   │   └── NoColumns        a file has nothing that serves as a column that must be there
│   └── Unreadable           a file that is there cannot be opened or decoded
│       ├── Undecodable      a file's bytes are not what its format says, to the library that read it
│       ├── BadRow           a row that cannot be read, named by file and line
│       ├── Changed          a file changed while it was read
│       └── OutOfResources   the system grants no more memory, threads or open files; no file is at fault
├── TooMuchMemory            the answer takes more memory than it may
└── OutputError              an output cannot be written
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from mmstats.wording import joined, size_text, spelt, spelt_name


class Fault(str):
    """What is wrong with a parameter, as the rest of the sentence "this parameter …", and what to write instead.

    As a text it is both; the command line shows `what` in its error and `offer` in its hint. In an offer the name of a
    parameter stands in backticks, to be spelt as the door spells it.
    """

    what: str
    offer: str

    def __new__(cls, what: str, offer: str = "") -> "Fault":
        """A fault; without an offer it is `what`."""
        fault = super().__new__(cls, f"{what}; {spelt(offer)}" if offer else what)
        fault.what, fault.offer = what, offer
        return fault

    def __getnewargs__(self) -> tuple[str, str]:  # type: ignore[override]
        """Pickled by its two halves."""
        return self.what, self.offer


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

    def sentence(self) -> str:
        """All faults in one line, each with its parameter's name."""
        return "; ".join(f"{name} {fault}" for name, fault in self._faults())

    def sentence_by_flags(self) -> str:
        """All faults in one line, each with its parameter's flag, without what to write instead."""
        return "; ".join(f"{spelt_name(name, flags=True)} {_halves(fault)[0]}" for name, fault in self._faults())

    def hint_by_flags(self) -> str:
        """What to write instead, where there are several offers each with its parameter's flag; then the hint."""
        offers = {name: spelt(offer, flags=True) for name, fault in self._faults() if (offer := _halves(fault)[1])}
        named = [f"{spelt_name(name, flags=True)}: {offer}" for name, offer in offers.items()]
        return joined([*(named if len(named) > 1 else offers.values()), self.hint])

    def _faults(self) -> Iterator[tuple[str, str]]:
        return ((name, fault) for name, faults in self.field_errors.items() for fault in faults)


def _halves(fault: str) -> tuple[str, str]:
    return (fault.what, fault.offer) if isinstance(fault, Fault) else (fault, "")


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


class NoColumns(NotEvents):
    """A file has no column that serves as one that must be there.

    `path` is that of the file, `missing` are the event columns.
    """

    def __init__(self, message: str, *, hint: str = "", path: str = "", missing: Sequence[str] = ()) -> None:
        super().__init__(message, hint=hint)
        self.path, self.missing = path, tuple(missing)


class Unreadable(DatasetError):
    """A file that is there cannot be opened or decoded."""


class Undecodable(Unreadable):
    """A file's bytes are not what its format says, to the library that read it; another one may read them.

    `path` is that of the file.
    """

    def __init__(self, message: str, *, hint: str = "", path: str = "") -> None:
        super().__init__(message, hint=hint)
        self.path = path


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
