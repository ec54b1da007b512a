"""The table and the lines of aims as plain text, fitted to a width. Pure: text out."""

from collections.abc import Sequence

from benchmarks.figures import (
    AIMS,
    METRICS,
    NEXT_AIMS,
    OURS,
    PROXY_AIMS,
    Metric,
    Results,
    added_verdict,
    advantage_over,
    middle,
    verdict,
)

GAP = "  "


def table(results: Results, metrics: Sequence[Metric], width: int) -> str:
    """Draw our column and then each peer's; as many tables below each other as *width* asks for.

    A peer's cell is its figure and how many times as good ours is.
    """
    labels = ["", *(metric.label for metric in metrics)]
    first = [[label] for label in labels]
    if OURS in results:
        first = [[*row, cell] for row, cell in zip(first, _ours(results, metrics), strict=True)]
    columns = [_peer(results, metrics, name) for name in results if name != OURS]
    room = width - sum(_widths(first)) - len(GAP) * (len(first[0]) - 1)
    blocks = [
        _draw([[*row, *cells] for row, *cells in zip(first, *group, strict=True)])
        for group in _fit(columns, room)
    ]
    return "\n\n".join(blocks)


def aims(results: Results) -> str:
    """List each aim with met, missed or not measured, then those that come next."""
    lines = ["aims"]
    lines += [f"  {verdict(aim, results)}" for aim in AIMS]
    lines += [f"  {verdict(aim, results)}" for aim in PROXY_AIMS]
    lines += [f"  {added_verdict(results)}", "next"]
    lines += [f"  {verdict(aim, results)}" for aim in NEXT_AIMS]
    return "\n".join(lines)


def number(metric: Metric, figure: float | None) -> str:
    """Write a figure with the digits that its metric deserves; a dash if there is none."""
    return "-" if figure is None else f"{figure:,.{metric.digits}f}"


def measured(results: Results) -> list[Metric]:
    """Pick the metrics of which any server has a figure, in their order."""
    return [
        metric
        for metric in METRICS
        if any(middle(rounds.get(metric.key, ())) is not None for rounds in results.values())
    ]


def _ours(results: Results, metrics: Sequence[Metric]) -> list[str]:
    return [OURS, *(number(m, middle(results[OURS].get(m.key, ()))) for m in metrics)]


def _peer(results: Results, metrics: Sequence[Metric], name: str) -> list[str]:
    figures = [number(m, middle(results[name].get(m.key, ()))) for m in metrics]
    ratios = [advantage_over(results, m, name) for m in metrics]
    if OURS not in results:
        return [name, *figures]
    marks = ["" if ratio is None else f"{ratio:.2f}x" for ratio in ratios]
    wide = max(map(len, marks), default=0)
    return [name, *(f"{f} {mark:>{wide}}" for f, mark in zip(figures, marks, strict=True))]


def _fit(columns: list[list[str]], room: int) -> list[list[list[str]]]:
    """Break the columns into groups that fit; one column at least goes into each."""
    groups: list[list[list[str]]] = [[]]
    left = room
    for column in columns:
        wide = max(map(len, column)) + len(GAP)
        if groups[-1] and wide > left:
            groups.append([])
            left = room
        groups[-1].append(column)
        left -= wide
    return groups


def _widths(rows: list[list[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*rows, strict=True)]


def _draw(rows: list[list[str]]) -> str:
    widths = _widths(rows)
    lines = [
        GAP.join(
            [f"{row[0]:<{widths[0]}}"]
            + [f"{cell:>{wide}}" for cell, wide in zip(row[1:], widths[1:], strict=True)]
        ).rstrip()
        for row in rows
    ]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])
