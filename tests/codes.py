"""A QR code as a phone sees it: what was written to a terminal, made a picture and decoded."""

import re

import zxingcpp

SCALE = 4
"""Pixels of a module, both ways; as a screen has it that is looked at from some way off."""

_UPPER, _LOWER = "▀█", "▄█"
_SGR = re.compile(r"\x1b\[([0-9;]*)m")
_WHITE_ON_BLACK = "38;5;231;48;5;16"


def picture(lines: list[str], *, dark: bool) -> list[bytes]:
    """Rows of pixels, 0 black and 255 white, of a terminal that is *dark* or light.

    The default colours are the terminal's; those that are set must be the two of the 256 that
    no theme changes. There is some terminal around what was written.
    """
    theme = (255, 0) if dark else (0, 255)
    modules: list[list[int]] = []
    for line in lines:
        ink, paper = theme
        rows: tuple[list[int], list[int]] = ([], [])
        for code, text in re.findall(r"\x1b\[([0-9;]*)m|([^\x1b]+)", line):
            for row, drawn in zip(rows, (_UPPER, _LOWER), strict=True):
                row += [ink if character in drawn else paper for character in text]
            if not text:
                assert code in {_WHITE_ON_BLACK, "0", ""}, f"an unexpected colour: {code}"
                ink, paper = (255, 0) if code == _WHITE_ON_BLACK else theme
        modules += rows
    width, margin = max(map(len, modules)) + 20, [theme[1]] * 10
    padded = [margin + row + [theme[1]] * (width - 10 - len(row)) for row in modules]
    empty = [[theme[1]] * width] * 10
    return [
        bytes(pixel for pixel in row for _ in range(SCALE))
        for row in (*empty, *padded, *empty)
        for _ in range(SCALE)
    ]


def decode(lines: list[str], *, dark: bool, inverted: bool = False) -> str:
    """What a scanner reads that knows dark on light alone, unless *inverted* codes too."""
    rows = picture(lines, dark=dark)
    image = memoryview(b"".join(rows)).cast("B", shape=(len(rows), len(rows[0])))
    (found,) = zxingcpp.read_barcodes(image, try_invert=inverted)
    assert found.format is zxingcpp.BarcodeFormat.QRCode
    return str(found.text)


def code_lines(text: str) -> list[str]:
    """The lines of *text* that are a code."""
    blocks = re.compile(r"[ ▀▄█]{21,}")
    return [line for line in text.splitlines() if blocks.fullmatch(_SGR.sub("", line))]
