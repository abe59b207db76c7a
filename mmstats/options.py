"""Options: each is declared once as plain data, and one function reads the texts that users write for them.

The command line, HTTP, OpenAPI and the docs take names, defaults, choices and help from the declarations.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from enum import Enum, auto
from functools import partial
from typing import Any

from mmstats.errors import Fault, InvalidParams
from mmstats.wording import did_you_mean, names_in

Texts = Mapping[str, Sequence[str]]  # by name, all texts that a user has written for an option
Faults = dict[str, list[str]]  # by name, everything that is wrong with an option
Rule = Callable[[Texts, Mapping[str, Any]], Faults]  # from texts and values: what is wrong with options together


class Form(Enum):
    """How the command line takes an option: behind its flag, as an argument, or either way."""

    FLAG = auto()
    ARGUMENT = auto()
    EITHER = auto()


@dataclass(frozen=True, slots=True)
class Option:
    """An option of the command line, which may be a parameter over HTTP and an argument in Python as well.

    `parse` reads a text, and raises ValueError with the rest of the sentence "this option …"; without it the text is
    one of the `choices`, an integer within the `bounds`, or any text. `implied` is the text that its flag stands for by
    itself; on the command line another one is written behind `=`. An option with `add` may be repeated: that adds
    the value of one text to the value of those before it, which at first is the default. `default_text` stands in the
    help for a default that is not shown as it is. `words` are what people write that is none of its values: each with
    the choice that it means, or with an offer of what to write instead. On the command line `short` is the letter of
    its short flag, and each of the `choice_flags` is a choice that has a flag of its own: `--json`.
    """

    name: str
    help: str
    parse: Callable[[str], Any] | None = None
    _: KW_ONLY
    metavar: str = ""
    default: Any = None
    default_text: str = ""
    choices: tuple[str, ...] = ()
    bounds: tuple[int, int] | None = None
    nonempty: bool = False
    implied: str = ""
    add: Callable[[Any, Any], Any] | None = None
    required: bool = False
    words: Mapping[str, str] = field(default_factory=dict)
    form: Form = Form.FLAG
    short: str = ""
    choice_flags: tuple[str, ...] = ()

    @property
    def flag(self) -> str:
        """How the command line spells it."""
        return "--" + self.name.replace("_", "-")

    @property
    def flags(self) -> tuple[str, ...]:
        """Its flags, the short one first."""
        return (f"-{self.short}", self.flag) if self.short else (self.flag,)

    @property
    def is_switch(self) -> bool:
        """Whether it is on or off: a flag without a value."""
        return isinstance(self.default, bool)

    @property
    def repeatable(self) -> bool:
        """Whether several texts make one value."""
        return self.add is not None

    def read(self, text: str) -> Any:
        """The value of one text.

        Raises ValueError with the rest of the sentence "this option …".
        """
        if self.nonempty and not text:
            raise ValueError("must not be empty")
        if self.parse:
            return self.parse(text)
        if self.is_switch:
            return _read_switch(text)
        if self.bounds:
            return self._read_integer(text, *self.bounds)
        return read_choice(text, self.choices, self.words) if self.choices else text

    def read_all(self, texts: Sequence[str]) -> Any:
        """The value of all texts that are written for it.

        Raises ValueError with an argument for each thing that is wrong.
        """
        if not self.add:
            if len(texts) > 1:
                flags = " and ".join(f"--{choice}" for choice in self.choice_flags)
                raise ValueError(Fault("may be given only once", f"{flags} are short for it" if flags else ""))
            return self.read(texts[0])
        value = self.default
        faults: list[str] = []
        for text in texts:
            try:
                value = self.add(value, self.read(text))
            except ValueError as fault:
                faults += fault.args
        if faults:
            raise ValueError(*dict.fromkeys(faults))
        return value

    def _read_integer(self, text: str, least: int, most: int) -> int:
        digits = (text.lstrip("0") or "0") if text.isascii() and text.isdigit() else ""
        # The length is compared first: int() of a very long text is an error of its own.
        if not digits or len(digits) > len(str(most)) or not least <= int(digits) <= most:
            word = "all" if digits and int(digits[:20]) > most else text  # who wants more rows than that wants all
            raise ValueError(
                Fault(f"must be an integer from {least} to {most}, not {text!r}", self.words.get(word, ""))
            )
        return int(digits)


def switch(name: str, help: str) -> Option:  # noqa: A002 - it is the help
    """An option that is off unless its flag is there, or over HTTP unless it is `true`."""
    return Option(name, help, default=False)


def _read_switch(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError("must be true or false")
    return text == "true"


def read_choice(text: str, choices: Sequence[str], words: Mapping[str, str] | None = None) -> str:
    """`text` when it is one of the choices; else an error, with an offer as `suggest` makes it.

    Raises ValueError with the rest of the sentence "this option …".
    """
    if text in choices:
        return text
    raise ValueError(Fault(f"must be {' or '.join(choices)}, not {text!r}", suggest(text, choices, words or {})))


def suggest(text: str, known: Collection[str], words: Mapping[str, str], form: str = "{}") -> str:
    """What to write instead of a text: what `words` say of it, else what is similar among `known`; may be empty.

    A word leads to one of `known`, or to a sentence.
    """
    said = words.get(text.casefold().strip().replace("-", "_"), "")
    if said and said not in known:
        return said
    aliases = {word: meaning for word, meaning in words.items() if meaning in known}
    return did_you_mean(text, known, form, aliases)


def read_names(text: str) -> tuple[str, ...]:
    """The names of a comma-separated list: blanks trimmed, none for an empty text."""
    return tuple(name.strip() for name in text.split(",")) if text.strip() else ()


def add_names(names: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
    """Names and more names, each once, where it came first."""
    return tuple(dict.fromkeys(names + more))


def add_text(texts: tuple[str, ...], text: str) -> tuple[str, ...]:
    """Texts and one more."""
    return (*texts, text)


def add_pair(pairs: Mapping[str, str], pair: tuple[str, str]) -> dict[str, str]:
    """Pairs of a name and a value, and one more.

    Raises ValueError for a name that is there already.
    """
    if pair[0] in pairs:
        raise ValueError(f"names {pair[0]} twice")
    return {**pairs, pair[0]: pair[1]}


def excludes(name: str, other: str, fault: str) -> Rule:
    """The rule that an option cannot stand beside another one."""
    return lambda texts, values: {name: [fault]} if _is_on(name, texts, values) and _is_on(other, texts, values) else {}


def needs(name: str, other: str, fault: str) -> Rule:
    """The rule that an option means nothing without another one."""
    return lambda texts, values: {name: [fault]} if _is_on(name, texts, values) and other not in texts else {}


def _is_on(name: str, texts: Texts, values: Mapping[str, Any]) -> bool:
    """Whether an option is there, with whatever value but `false`."""
    return name in texts and values.get(name, False) is not False


def read_values(
    readers: Mapping[str, Callable[[Any], Any]], written: Mapping[str, Any]
) -> tuple[dict[str, Any], Faults]:
    """The values that readers make of what is written, and everything that is wrong with the others.

    A reader raises ValueError with an argument for each thing that is wrong.
    """
    values: dict[str, Any] = {}
    faults: Faults = {}
    for name, value in written.items():
        try:
            values[name] = readers[name](value)
        except ValueError as fault:
            faults[name] = [*fault.args]
    return values, faults


def read_texts(
    options: Sequence[Option],
    texts: Texts,
    rules: Sequence[Rule] = (),
    required: Collection[str] = (),
    words: Mapping[str, str] | None = None,
) -> tuple[dict[str, Any], Faults]:
    """The value of every option, by default its default, and everything that is wrong.

    A text for an unknown option is a fault, and so is an option without any that is required, by its declaration or
    among `required`. `words` say what to write instead of the names of other tools.
    """
    values: dict[str, Any] = {option.name: option.default for option in options}
    unknown = {name: partial(_refuse_unknown, name, [*values], words or {}) for name in texts}
    read, faults = read_values(unknown | {option.name: option.read_all for option in options}, texts)
    faults = {name: [_within(fault, values) for fault in wrong] for name, wrong in faults.items()}
    values |= read
    missing = [option.name for option in options if option.required or option.name in required]
    faults |= {name: ["is required"] for name in missing if name not in texts}
    for rule in rules:
        faults |= rule(texts, values)
    return values, faults


def _refuse_unknown(name: str, known: Sequence[str], words: Mapping[str, str], _: Sequence[str]) -> None:
    offer = suggest_option(name, known, words) or f"known: {', '.join(known)}"
    raise ValueError(Fault("is not a parameter", offer))


def suggest_option(name: str, known: Collection[str], words: Mapping[str, str]) -> str:
    """What to write instead of an unknown option, as `suggest` says it; empty where it would name one not `known`."""
    offer = suggest(name, known, words, "`{}`")
    return offer if all(one in known for one in names_in(offer)) else ""


def _within(fault: str, known: Collection[str]) -> str:
    """A fault without its offer where that names an option that is not `known`."""
    if isinstance(fault, Fault) and not all(name in known for name in names_in(fault.offer)):
        return fault.what
    return fault


def read_options(options: Sequence[Option], texts: Texts, rules: Sequence[Rule] = ()) -> dict[str, Any]:
    """The value of every option.

    Raises InvalidParams with everything that is wrong at once.
    """
    values, faults = read_texts(options, texts, rules)
    if faults:
        raise InvalidParams(faults)
    return values
