"""Known exports, a TOML file each: which there are, and one of them, or a file of the user's, read."""

from pathlib import Path

from mmstats.derivation import Schema
from mmstats.errors import Fault, InvalidSettings
from mmstats.file_states import state
from mmstats.options import Option
from mmstats.wording import did_you_mean, visible

_FOLDER = Path(__file__).parent
_ENDING = ".toml"


def bundled() -> tuple[str, ...]:
    """The names of the schemas that come with the program, in order."""
    return tuple(sorted(file.stem for file in _FOLDER.iterdir() if file.suffix == _ENDING))


def bundled_text(name: str) -> str:
    """The TOML of a bundled schema."""
    return (_FOLDER / (name + _ENDING)).read_text("utf-8")


def title_of(name: str) -> str:
    """What a bundled schema is for, in a line."""
    import tomllib

    return str(tomllib.loads(bundled_text(name))["title"])


def read_bundled(text: str) -> str:
    """The name of a bundled schema.

    Raises ValueError with the rest of the sentence "this option …".
    """
    names = bundled()
    if text not in names:
        offer = did_you_mean(text, names) or f"known exports: {', '.join(names)}; or a file that ends in {_ENDING}"
        raise ValueError(Fault(f"must be a known export, not {text!r}", offer))
    return text


def read_name(text: str) -> str:
    """The name of a bundled schema, or of a file: one that ends in `.toml` or has a folder before it.

    Raises ValueError with the rest of the sentence "this option …".
    """
    return text if is_file(text) else read_bundled(text)


def is_file(name: str) -> bool:
    """Whether a schema is named by its file."""
    return name.endswith(_ENDING) or Path(name).name != name


def load_schema(name: str) -> Schema:
    """The schema of a name as `read_name` gives it.

    Raises InvalidSettings, naming file and line, for a file that cannot be read or is wrong, and for an export that
    holds no events.
    """
    from hashlib import sha256  # takes 2 ms to be loaded

    from mmstats.schemas.reading import read_schema

    if not is_file(name):
        content = bundled_text(name)
        return read_schema(name, f"{name}{_ENDING}", content, sha256(content.encode()).hexdigest(), {})
    path, shown = Path(name), visible(name)
    seen = {str(path.absolute()): state(str(path.absolute()))[0]}
    try:
        if not path.is_file():  # a pipe or a device may never end
            raise InvalidSettings(f"{shown}: no such schema file", hint=f"known exports: {', '.join(bundled())}")
        data = path.read_bytes()
        content = data.decode("utf-8-sig")
    except OSError as fault:
        raise InvalidSettings(f"{shown}: cannot be read: {fault.strerror}") from None
    except UnicodeDecodeError as fault:
        line = fault.object.count(b"\n", 0, fault.start) + 1
        raise InvalidSettings(f"{shown}: line {line}: not UTF-8") from None
    return read_schema(path.stem, name, content, sha256(data).hexdigest(), seen)


SCHEMA = Option(
    "schema",
    "The tool that the data is an export of, or a TOML file that says how it is read.",
    read_name,
    metavar="NAME|FILE",
    nonempty=True,
)
GEO_DATABASE = Option(
    "geo_database",
    "Your database of addresses (.mmdb), for schemas that look up countries.",
    metavar="FILE",
    nonempty=True,
)
