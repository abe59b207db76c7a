"""A label as the formats for eyes write it: null, the empty string and every other text told apart."""

from mmstats.wording import visible

NULL = "null"


def shown(label: str | int | None) -> str:
    """`label` on one line: `null` for null, in double quotes where it would be taken for something else.

    Quoted are the empty string, the string `null`, and what starts with a quote or has a blank at an end.
    What is shown with a quote in front is the label between two quotes, anything else is the label itself.
    """
    if label is None:
        return NULL
    text = visible(str(label))
    return f'"{text}"' if _mistakable(text) else text


def _mistakable(text: str) -> bool:
    return text in ("", NULL) or text.startswith('"') or text != text.strip()
