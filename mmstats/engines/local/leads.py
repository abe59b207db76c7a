"""Where to go on from data that is not flat, or not yet events: what it has, and the flags that read it."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress

from mmstats.dataset import EVENT_COLUMNS, Dataset
from mmstats.errors import DatasetError
from mmstats.files.event_file import EventFile
from mmstats.readers.column_names import column_names
from mmstats.readers.columnar_file import ENGINE_FAULTS
from mmstats.readers.projection import Selection
from mmstats.readers.sampling import outline_of
from mmstats.readers.source import Source, read_source
from mmstats.reports import Lead
from mmstats.schemas.detection import fitting
from mmstats.schemas.guesses import REQUIRED, Guess, guess_columns, mappings
from mmstats.schemas.outline import Outline

_FLAT = frozenset(EVENT_COLUMNS) - {"properties"}  # names of columns that nobody needs a way into


def sample(dataset: Dataset) -> Outline:
    """The columns and paths in the first rows of a few files of a dataset, be they events or not.

    Raises DatasetError where there are no files, or none that can be read.
    """
    return read_source(dataset, Selection(()), lambda source: outline_of(source.files, source.projection))


def lead_of_events(source: Source, served: Collection[str]) -> Lead | None:
    """Where to go on from events that have the columns `served`; None where they are flat and of no known export."""
    with suppress(DatasetError, *ENGINE_FAULTS, OSError):  # what else is wrong is told where it is read
        if source.files and {*column_names(source.files[0], source.projection)} <= _FLAT:
            return None
    first = outline_of(source.files[:1], source.projection)
    if len(first.paths) == len(first.columns) and not fitting(first.keys, first.width):
        return None
    return lead_of(source, source.files, served)


def lead_of(source: Source, files: Sequence[EventFile], served: Collection[str] = ()) -> Lead:
    """Where to go on from files of which the first is looked at for certain; they have the event columns `served`."""
    outline, dataset = outline_of(files, source.projection), source.dataset
    fits = tuple(schema.name for schema in fitting(outline.keys, outline.width)) if dataset.schema is None else ()
    if fits:
        return Lead(outline, fits, "query", ("--schema", fits[0]))
    guesses = guess_columns(outline)
    arrays = [use.text for use in outline.columns if use.holds_objects]
    if len(arrays) == 1 and "timestamp" not in {*guesses, *served} and not dataset.dialect.records:
        return Lead(outline, fits, "describe", ("--records", arrays[0]))
    maps = [word for column, path in _maps(guesses, served).items() for word in ("--map", f"{column}={path}")]
    return Lead(outline, fits, "query", tuple(maps))


def _maps(guesses: Mapping[str, Guess], served: Collection[str]) -> dict[str, str]:
    """What serves as event columns, with a word to replace for one that must be there and for which there is no guess.

    It is in the order of event columns.
    """
    blanks = {column: "COLUMN" for column in REQUIRED if column not in {*guesses, *served}}
    return {**blanks, **mappings(guesses, served)}
