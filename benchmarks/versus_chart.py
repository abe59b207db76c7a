"""The ratios of `versus.py` drawn as SVG: a bar for each question and state of mmstats, marks for the other engines.

The scale is logarithmic, so that twice as fast and twice as slow are bars of one length, to either side of the line.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log2

from versus_engines import BASE, OURS
from versus_report import Results

WIDTH, LEFT, RIGHT, TOP, BAR, GAP = 860, 216, 76, 96, 14, 12
COLOURS = ("#2563eb", "#0d9488", "#8b5cf6")
MARKS = {"DuckDB table": "#b45309", "DuckDB library": "#eab308", "ClickHouse": "#dc2626", "DataFusion": "#64748b"}
STYLE = """
text{font:12px system-ui,-apple-system,'Segoe UI',sans-serif;fill:#1f2937}.faint{fill:#6b7280}
.title{font-size:15px;font-weight:600}.grid{stroke:#e5e7eb}.one{stroke:#374151;stroke-width:1.5}.mark{stroke:#fff}
@media(prefers-color-scheme:dark){text{fill:#e5e7eb}.faint{fill:#9ca3af}.grid{stroke:#374151}.one{stroke:#e5e7eb}
.mark{stroke:#111827}}
"""


@dataclass(frozen=True)
class Scale:
    """Ratios along the width of the picture, from one power of two to another."""

    low: int
    high: int

    @classmethod
    def of(cls, ratios: Sequence[float]) -> "Scale":
        """One on which all these have a place, and 1."""
        powers = [log2(ratio) for ratio in ratios]
        return cls(min(-1, floor(min(powers))), max(1, ceil(max(powers))))

    def x(self, ratio: float) -> float:
        """Where a ratio is."""
        share = (log2(ratio) - self.low) / (self.high - self.low)
        return round(LEFT + (WIDTH - LEFT - RIGHT) * share, 1)


def chart(results: Results) -> str:
    """The picture."""
    ours = [name for name in OURS if name in results.compared]
    marks = [name for name in MARKS if name in results.compared]
    step = len(ours) * BAR + GAP
    bottom = TOP + step * len(results.asked) + 4
    ratios = [turns.ratio(name, BASE).middle for turns in results.asked.values() for name in ours + marks]
    scale = Scale.of(ratios or [1])
    parts = [*_legend(results, ours, marks), *_grid(scale, bottom)]
    for row, question in enumerate(results.asked):
        top = TOP + row * step
        middle = top + len(ours) * BAR / 2
        parts.append(f'<text x="{LEFT - 12}" y="{middle + 4}" text-anchor="end">{escape(question)}</text>')
        parts += [_bar(results, question, place, top + place * BAR, scale) for place in range(len(ours))]
        parts += [_mark(results, question, name, middle, scale) for name in marks]
    size = f'width="{WIDTH}" height="{bottom + 30}" viewBox="0 0 {WIDTH} {bottom + 30}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size}>\n<style>{STYLE}</style>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _legend(results: Results, ours: Sequence[str], marks: Sequence[str]) -> Iterator[str]:
    title = f"Time beside {BASE} on the same {results.rows:,} events in {results.days} Parquet files: left is faster"
    yield f'<text class="title" x="12" y="24">{escape(title)}</text>'
    for names, y in ((ours, 48), (marks, 70)):
        x = 12
        for place, name in enumerate(names):
            told = f"{name} (mean {results.mean_ratios(name)['all questions']:.2f}×)"
            square = (
                f'<rect x="{x}" y="{y - 10}" width="12" height="10" rx="2" fill="{COLOURS[place % len(COLOURS)]}"/>'
            )
            yield _dot(x + 6, y - 4, name) if name in MARKS else square
            yield f'<text x="{x + 17}" y="{y}">{escape(told)}</text>'
            x += 34 + int(len(told) * 6.4)


def _grid(scale: Scale, bottom: int) -> Iterator[str]:
    for power in range(scale.low, scale.high + 1):
        x, ratio = scale.x(2.0**power), f"1/{2**-power}" if power < 0 else f"{2**power}×"
        yield f'<line class="{"grid" if power else "one"}" x1="{x}" x2="{x}" y1="{TOP - 8}" y2="{bottom}"/>'
        yield f'<text class="faint" x="{x}" y="{bottom + 17}" text-anchor="middle">{ratio}</text>'


def _bar(results: Results, question: str, place: int, y: int, scale: Scale) -> str:
    name = [name for name in OURS if name in results.compared][place]
    ratio = results.turns[question].ratio(name, BASE).middle
    ends = sorted((scale.x(ratio), scale.x(1)))
    size = f'x="{ends[0]}" y="{y + 1}" width="{max(ends[1] - ends[0], 1):.1f}" height="{BAR - 2}" rx="2"'
    bar = f'<rect {size} fill="{COLOURS[place]}"><title>{escape(name)}: {ratio:.2f} times as long</title></rect>'
    return f'{bar}<text x="{WIDTH - 16}" y="{y + BAR - 3}" text-anchor="end">{ratio:.2f}×</text>'


def _mark(results: Results, question: str, name: str, y: float, scale: Scale) -> str:
    ratio = results.turns[question].ratio(name, BASE).middle
    return _dot(scale.x(ratio), y, f"{name}: {ratio:.2f} times as long", MARKS[name])


def _dot(x: float, y: float, told: str, colour: str | None = None) -> str:
    fill = colour or MARKS[told]
    return f'<circle class="mark" cx="{x}" cy="{y}" r="4.5" fill="{fill}"><title>{escape(told)}</title></circle>'
