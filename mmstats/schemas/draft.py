"""A schema to edit: the TOML of what is guessed of some data, with comments on what is not sure."""

import shlex
from collections.abc import Iterator, Mapping

from mmstats.dataset import EVENT_COLUMNS, Dataset
from mmstats.schemas.detection import looks_like
from mmstats.schemas.guesses import REQUIRED, Guess, find_agent, guess_columns
from mmstats.schemas.outline import Outline, PathUse
from mmstats.wording import is_encodable, plural, visible

_CAMPAIGN = {"source": "utm_source", "medium": "utm_medium", "campaign": "utm_campaign"}
_OF_AGENT = ("device_type", "browser", "os")
_TO_FILL_IN = {
    "timestamp": '"COLUMN"  # fill in: the column or path of when it happened, or { join = ["DATE", "TIME"] }',
    "event_name": '"COLUMN"  # fill in: the column or path of its name, or { constant = "event" } for all',
}
_MOST_UNUSED, _LONGEST_SAMPLE = 100, 40


def draft_schema(outline: Outline, dataset: Dataset) -> str:
    """The TOML of a schema that reads a dataset as far as its outline lets one guess."""
    guesses = {column: one for column, one in guess_columns(outline).items() if is_encodable(one.use.text)}
    lines = [*_head(outline, dataset), *_file(dataset), "[columns]", *_columns(outline, guesses)]
    return "\n".join([*lines, *_unused(outline, guesses)]) + "\n"


def _head(outline: Outline, dataset: Dataset) -> Iterator[str]:
    data = visible(shlex.join(dataset.locations))
    yield f"# Guesses by names and values in {plural(outline.rows, 'row')}: look at each, then"
    yield f"#   mmstats query {data} --schema FILE.toml"
    if export := looks_like(outline.keys, outline.width):
        yield f"# But {export}"
    arrays = [use.text for use in outline.columns if use.holds_objects]
    if len(arrays) == 1 and not dataset.dialect.records and "timestamp" not in guess_columns(outline):
        records = visible(shlex.quote(arrays[0]))
        yield f"# The events may be in an array: mmstats schemas init {data} --records {records}"
    said = {
        "--delimiter": dataset.dialect.delimiter and shlex.quote(dataset.dialect.delimiter),
        "--timestamp-unit": dataset.timestamp_unit,
        "--timestamp-format": dataset.dialect.timestamp_format and shlex.quote(dataset.dialect.timestamp_format),
    }
    if flags := " ".join(f"{flag} {value}" for flag, value in said.items() if value):
        yield f"# No schema says these, so that they go with each question: {visible(flags)}"
    yield f"title = {_toml(', '.join(dataset.locations))}"
    yield ""


def _file(dataset: Dataset) -> Iterator[str]:
    said = {"format": dataset.input_format, "records": dataset.dialect.records}
    lines = [f"{name} = {_toml(value)}" for name, value in said.items() if value]
    lines += [] if dataset.dialect.quotes else ["quotes = false"]
    if lines:
        yield from ("[file]", *lines, "")


def _columns(outline: Outline, guesses: Mapping[str, Guess]) -> Iterator[str]:
    agent, url = find_agent(outline), guesses.get("url")
    nothing = []
    for column in EVENT_COLUMNS:
        if guess := guesses.get(column):
            yield _guessed(column, guess)
        elif column in REQUIRED:
            yield f"# {column} = {_TO_FILL_IN[column]}"
        elif url and not url.doubt and column == "path":
            yield f'path = {{ from = {_toml(url.use.text)}, url = "path" }}'
        elif url and not url.doubt and column in _CAMPAIGN:
            yield f'{column} = {{ from = {_toml(url.use.text)}, query = "{_CAMPAIGN[column]}" }}'
        elif agent and column in _OF_AGENT:
            yield f'# {column} = {{ from = {_toml(agent.text)}, agent = "{column}" }}  # needs the extra agents'
        else:
            nothing.append(column)
    if nothing:
        yield f"# nothing looks like: {', '.join(nothing)}"


def _guessed(column: str, guess: Guess) -> str:
    others = f"or {', '.join(map(_toml, guess.others[:3]))}?" if guess.others else ""
    said = [f"not sure: {guess.doubt}" if guess.doubt else "", _samples(guess.use), others]
    comment = "; ".join(filter(None, said))
    is_left_out = guess.doubt and column not in REQUIRED
    return f"{'# ' * bool(is_left_out)}{column} = {_toml(guess.use.text)}{comment and f'  # {comment}'}"


def _unused(outline: Outline, guesses: Mapping[str, Guess]) -> Iterator[str]:
    used = {guess.use.text for guess in guesses.values()}
    uses = [use for use in outline.paths if use.text not in used and use.samples]
    if uses:
        yield from ("", "# what else is there:")
    for use in uses[:_MOST_UNUSED]:
        yield f"#   {visible(_toml(use.text))}  {', '.join(use.kinds)}: {_samples(use)}"
    if len(uses) > _MOST_UNUSED:
        yield f"#   and {plural(len(uses) - _MOST_UNUSED, 'more path')}"


def _samples(use: PathUse) -> str:
    return ", ".join(visible(one[:_LONGEST_SAMPLE]) + "…" * (len(one) > _LONGEST_SAMPLE) for one in use.samples)


def _toml(text: str) -> str:
    """A text as a string of TOML; what would act on a terminal is escaped."""
    return '"' + "".join(_escaped(char) for char in text.encode("utf-8", "replace").decode()) + '"'


def _escaped(char: str) -> str:
    if char in ('"', "\\"):
        return f"\\{char}"
    return char if visible(char) == char else f"\\U{ord(char):08x}"
