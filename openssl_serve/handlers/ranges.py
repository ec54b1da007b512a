"""Parts of a file as content: one range, or several as multipart/byteranges (RFC 9110 14.6).

Parts of a file that is not in memory are read as they are sent: sixteen ranges of a large file
cost no more memory than one.
"""

import os
from collections.abc import Sequence

from openssl_serve.http1.bodies import PIECE, FileBody
from openssl_serve.http1.fields import Range
from openssl_serve.http1.response import Fields, Response

_BOUNDARY_BYTES = 16
"""Of randomness in a boundary: that a file holds the one of its own response cannot be arranged."""


class PartsBody:
    """Stretches of the file *whole*, each behind its own lead, and a tail; a Body."""

    def __init__(self, whole: FileBody, parts: Sequence[tuple[bytes, Range]], tail: bytes) -> None:
        self._whole = whole
        self._todo = list(reversed(parts))
        self._tail = tail
        self.length = len(tail) + sum(
            len(lead) + stretch.stop - stretch.start for lead, stretch in parts
        )
        self.left = self.length
        """Bytes not read yet."""
        self.is_open = False
        whole.slice(0, 0)

    def read_piece(self) -> bytes:
        """Read the next bytes; none, though some are left, means that the file shrank."""
        pieces: list[bytes] = []
        count = 0
        while count < min(PIECE, self.left):
            if self._whole.left:
                piece = self._whole.read_piece()
                if not piece:
                    # What was read before it can still be sent; the loss shows in the next call.
                    break
            elif self._todo:
                piece, (start, stop) = self._todo.pop()
                self._whole.slice(start, stop)
            else:
                piece, self._tail = self._tail, b""
            pieces.append(piece)
            count += len(piece)
        self.left -= count
        return b"".join(pieces)

    def close(self) -> None:
        """Give the file back."""
        self._whole.close()


def partial(
    fields: Fields, ranges: Sequence[Range], size: int, content: bytes | FileBody
) -> Response:
    """Make the 206 with *ranges* of *content*, which has *size* bytes and these *fields*."""
    if len(ranges) == 1:
        start, stop = ranges[0]
        described = (*fields, (b"Content-Range", _content_range(ranges[0], size)))
        if isinstance(content, bytes):
            return Response(206, described, content[start:stop])
        return Response(206, described, content.slice(start, stop))
    boundary = os.urandom(_BOUNDARY_BYTES).hex().encode("ascii")
    kind = dict(fields)[b"Content-Type"]
    parts = [
        (
            b"%b--%b\r\nContent-Type: %b\r\nContent-Range: %b\r\n\r\n"
            % (b"\r\n" if number else b"", boundary, kind, _content_range(stretch, size)),
            stretch,
        )
        for number, stretch in enumerate(ranges)
    ]
    tail = b"\r\n--%b--\r\n" % boundary
    # Section 15.3.7.2: Content-Range stands in each part, and not in the head.
    described = (
        (b"Content-Type", b"multipart/byteranges; boundary=" + boundary),
        *(field for field in fields if field[0] != b"Content-Type"),
    )
    if isinstance(content, bytes):
        pieces = [lead + content[start:stop] for lead, (start, stop) in parts]
        return Response(206, described, b"".join((*pieces, tail)))
    return Response(206, described, PartsBody(content, parts, tail))


def _content_range(stretch: Range, size: int) -> bytes:
    return b"bytes %d-%d/%d" % (stretch.start, stretch.stop - 1, size)
