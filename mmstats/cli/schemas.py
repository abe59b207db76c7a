"""`mmstats schemas`: list the exports that are known, or print the TOML of one."""

from mmstats.cli.options import SCHEMAS
from mmstats.cli.terminal import write_text
from mmstats.options import Texts, read_options
from mmstats.schemas import bundled, bundled_text, title_of


def schemas(texts: Texts) -> None:
    """Write a line for each bundled schema, or one of them as it stands."""
    name = read_options(SCHEMAS, texts)["schema"]
    if name:
        write_text(bundled_text(name))
        return
    names = bundled()
    width = max(map(len, names))
    write_text("".join(f"{one:{width}}  {title_of(one)}\n" for one in names))
