"""What a misspelt name probably meant."""

from collections.abc import Iterable, Sequence


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The one of `known` that `name` most resembles, or None when none is near."""
    import difflib  # costs 3 ms and is needed only after a mistake

    folded = {_fold(candidate): candidate for candidate in known}
    close = difflib.get_close_matches(_fold(name), folded, n=1, cutoff=0.6)
    return folded[close[0]] if close else None


def did_you_mean(name: str, known: Iterable[str], form: str = "{}") -> str:
    """`did you mean X?` for the nearest of `known`, written as `form`, or an empty string."""
    candidate = nearest(name, known)
    return f"did you mean {form.format(candidate)}?" if candidate else ""


def one_of(text: str, choices: Sequence[str]) -> str:
    """`text` when it is one of the choices.

    Raises ValueError, whose message ends the sentence "this parameter …".
    """
    if text in choices:
        return text
    meant = did_you_mean(text, choices)
    raise ValueError(f"must be {' or '.join(choices)}, not {text!r}" + (f"; {meant}" if meant else ""))


def _fold(name: str) -> str:
    return name.casefold().replace("-", "").replace("_", "")
