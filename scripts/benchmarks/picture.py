"""The figures as one picture: a panel of bars for each metric. Pure: SVG text out.

No script, no font and no file from elsewhere; it paints its own ground, because a picture in a
README follows the reader's colour scheme and the page around it may not.
"""

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from benchmarks.figures import OURS, Metric, Results, middle
from benchmarks.table import number

COLUMNS = 2
PANEL_WIDTH = 400
MARGIN = 24
TITLE_HEIGHT = 34
ROW_HEIGHT = 22
BAR_HEIGHT = 12
NAME_WIDTH = 116
VALUE_WIDTH = 64
LEGEND_HEIGHT = 34

STYLE = """\
text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1f2328; }
.title { font-weight: 600; }
.note, .name { fill: #59636e; }
.note { font-size: 12px; }
.value { font-variant-numeric: tabular-nums; }
.own { font-weight: 600; fill: #1f2328; }
.ground { fill: #ffffff; stroke: #d1d9e0; }
.bar { fill: #b6c2cf; }
.bar.ours { fill: #0969da; }
@media (prefers-color-scheme: dark) {
  text, .own { fill: #f0f6fc; }
  .note, .name { fill: #9198a1; }
  .own { fill: #f0f6fc; }
  .ground { fill: #0d1117; stroke: #3d444d; }
  .bar { fill: #4a535e; }
  .bar.ours { fill: #4493f8; }
}
"""


def picture(results: Results, metrics: Sequence[Metric], note: str) -> str:
    """Draw a panel for each metric with a bar for each server that has a figure."""
    names = list(results)
    height_of_panel = TITLE_HEIGHT + ROW_HEIGHT * len(names)
    rows = -(-len(metrics) // COLUMNS)
    width = COLUMNS * PANEL_WIDTH + (COLUMNS + 1) * MARGIN
    height = rows * (height_of_panel + MARGIN) + MARGIN + LEGEND_HEIGHT
    panels = [
        _panel(
            results,
            metric,
            MARGIN + (PANEL_WIDTH + MARGIN) * (place % COLUMNS),
            MARGIN + (height_of_panel + MARGIN) * (place // COLUMNS),
        )
        for place, metric in enumerate(metrics)
    ]
    space = f'xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
    size = f'width="{width}" height="{height}"'
    inside = f'x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="8"'
    lines = [
        f'<svg {space} {size} role="img" aria-label="{_described(results)}">',
        f"<style>\n{STYLE}</style>",
        f'<rect class="ground" {inside}/>',
        *panels,
        f'<text class="note" x="{MARGIN}" y="{height - MARGIN}">{escape(note)}</text>',
        "</svg>\n",
    ]
    return "\n".join(lines)


def _panel(results: Results, metric: Metric, x: int, y: int) -> str:
    better = "" if metric.higher_is_better else "less is better"
    lines = [
        f'<g transform="translate({x} {y})">',
        f'<text class="title" y="13">{escape(metric.label)}</text>',
        f'<text class="note" x="{PANEL_WIDTH}" y="13" text-anchor="end">{better}</text>',
        *_bars(results, metric),
        "</g>",
    ]
    return "\n".join(lines)


def _bars(results: Results, metric: Metric) -> Iterator[str]:
    """Yield name, bar and figure of each server; a server without a figure has a dash."""
    figures = {name: middle(rounds.get(metric.key, ())) for name, rounds in results.items()}
    longest = max((figure for figure in figures.values() if figure), default=1.0)
    room = PANEL_WIDTH - NAME_WIDTH - VALUE_WIDTH
    for place, (name, figure) in enumerate(figures.items()):
        own, ours = (" own", " ours") if name == OURS else ("", "")
        top = TITLE_HEIGHT - 6 + ROW_HEIGHT * place
        length = max(2.0, room * figure / longest) if figure else 0.0
        yield f'<text class="name{own}" y="{top + BAR_HEIGHT - 1}">{escape(name)}</text>'
        if figure:
            yield (
                f'<rect class="bar{ours}" x="{NAME_WIDTH}" y="{top}" width="{length:.1f}"'
                f' height="{BAR_HEIGHT}" rx="2"/>'
            )
        yield (
            f'<text class="value{own}" x="{NAME_WIDTH + length + 8:.1f}"'
            f' y="{top + BAR_HEIGHT - 1}">{number(metric, figure)}</text>'
        )


def _described(results: Results) -> str:
    others = ", ".join(escape(name) for name in results if name != OURS)
    return f"Measured figures of {OURS} beside {others}"
