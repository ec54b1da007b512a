"""Tables on stdout: in columns where they fit, and read from top to bottom where they do not."""

import shutil
import sys
from collections.abc import Sequence
from itertools import zip_longest

from openssl_serve.cli import render
from openssl_serve.cli.layout import PAINTED, width_of, wrapped
from openssl_serve.hosts import shorten

MIN_WIDTH = 12
"""Columns of a cell that is cut short: enough to tell two hosts of one domain apart."""

_GAP = 2


def table(
    rows: Sequence[Sequence[str]], indent: str = "", *, header: bool = True, wrap: bool = False
) -> None:
    """Print *rows*, the first of which names the columns if *header*.

    On a terminal no row is wider than it: the widest columns give way, their cells cut in the
    middle, or with *wrap*, for cells that are sentences, in several lines. Where that is not
    enough, each cell has a line of its own and its column's name. Into a pipe nothing is cut.
    """
    rows = [[_safe(cell) for cell in row] for row in rows]
    if not rows:
        return
    widths = [max(map(width_of, column)) for column in zip(*rows, strict=True)]
    terminal = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    if terminal:
        room = terminal - len(indent) - _GAP * (len(widths) - 1)
        narrow = _narrowed(widths, [_least(column) for column in zip(*rows, strict=True)], room)
        if narrow is None:
            _print_downwards(rows, indent, header=header)
            return
        widths = narrow
    for row in rows:
        lines = [
            wrapped(cell, width) if wrap else [cell]
            for cell, width in zip(row, widths, strict=True)
        ]
        for line in zip_longest(*lines, fillvalue=""):
            cells = [_fit(cell, width) for cell, width in zip(line, widths, strict=True)]
            render.result((indent + (" " * _GAP).join(cells)).rstrip())


def _safe(cell: str) -> str:
    """*cell* in one line, with no control character but the colours of its own."""
    return cell if PAINTED.fullmatch(cell) else shorten(cell, most=10_000)


def _least(column: Sequence[str]) -> int:
    """To how many columns it can be cut; what has colours is short, and left whole."""
    whole = max((width_of(cell) for cell in column if PAINTED.fullmatch(cell)), default=0)
    return max(whole, min(MIN_WIDTH, max(map(width_of, column))))


def _narrowed(widths: Sequence[int], least: Sequence[int], room: int) -> list[int] | None:
    """*widths* that fit into *room*, none below its *least*; None if there are none."""
    if sum(least) > room:
        return None
    widths = list(widths)
    while sum(widths) > room:
        # Those that can still give way, the widest first.
        loser = max((i for i in range(len(widths)) if widths[i] > least[i]), key=widths.__getitem__)
        widths[loser] -= 1
    return widths


def _fit(cell: str, width: int) -> str:
    """*cell* in exactly *width* columns; cut in its middle if it is wider."""
    most = width
    while width_of(cell) > width:
        # Once for ASCII; wide characters need fewer of them.
        cell, most = shorten(cell, most), most - 1
    return cell + " " * (width - width_of(cell))


def _print_downwards(rows: Sequence[Sequence[str]], indent: str, *, header: bool) -> None:
    """Print a line for each cell, whole, and a blank one between rows."""
    names = [f"{name.lower()}: " for name in rows[0]] if header else [""] * len(rows[0])
    for number, row in enumerate(rows[1:] if header else rows):
        if number:
            render.result("")
        for name, cell in zip(names, row, strict=True):
            if cell:
                render.result(f"{indent}{name}{cell}")
