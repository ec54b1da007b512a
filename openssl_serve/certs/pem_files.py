"""PEM files: read with care; what is wrong with one is said with its name, and what mends it."""

import os
import re
import stat
from pathlib import Path

from openssl_serve.certs import pem
from openssl_serve.errors import CertificateError, reason_of, typed

MAX_FILE_SIZE = 1 << 20
"""Bytes. A chain has some ten thousand; more is no certificate, or one that is no use here."""

_UTF8_MARK, _UTF16_MARKS = b"\xef\xbb\xbf", (b"\xff\xfe", b"\xfe\xff")
# A SEQUENCE of any length that begins with the INTEGER 3, its version (RFC 7292 section 4).
_PKCS12 = re.compile(rb"\x30(?:[\x00-\x80]|\x81.|\x82..|\x83.{3})\x02\x01\x03", re.DOTALL)
_BEGIN = re.compile(rb"^-----BEGIN ([A-Z0-9 ]{1,60})-----", re.MULTILINE)


def read_file(path: Path) -> bytes:
    """All bytes of a regular file. Raises CertificateError."""
    try:
        # A FIFO would make an ordinary open() wait for a writer for ever.
        with open(path, "rb", opener=lambda p, flags: os.open(p, flags | os.O_NONBLOCK)) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise CertificateError(f"{path} is not a regular file")
            data = file.read(MAX_FILE_SIZE + 1)
    except FileNotFoundError as error:
        raise CertificateError(f"{path}: no such file") from error
    except IsADirectoryError as error:
        raise CertificateError(f"{path} is a folder") from error
    except OSError as error:
        raise CertificateError(f"{path}: {reason_of(error)}") from error
    if len(data) > MAX_FILE_SIZE:
        raise CertificateError(f"{path} is larger than a megabyte, and no certificate or key is")
    return data


def wrong_content(path: Path, data: bytes, wanted: str, tool: str) -> CertificateError:
    """The error for the file at *path*, whose *data* have no block of what is *wanted*.

    That is "certificate", for which *tool* is openssl's command: "x509".
    """
    made = f"{path}.pem"
    labels = dict.fromkeys(block.label for block in pem.blocks(data))
    command, has_key = "", wanted == "private key"
    if not data.strip():
        what = "is empty"
    elif labels:
        what = f"holds no {wanted}, but {', '.join(labels)}"
    elif data.startswith(_UTF8_MARK):
        what = "begins with a byte order mark, and PEM has none"
        command = f"{typed('tail', '-c', '+4', path)} >{typed(made)}"
    elif data.startswith(_UTF16_MARKS):
        what = "is in UTF-16, and PEM is ASCII"
        command = f"{typed('iconv', '-f', 'UTF-16', '-t', 'ASCII', path)} >{typed(made)}"
    elif begin := _BEGIN.search(data):
        what = f"is cut off: the {begin[1].decode('ascii')} in it has no END line"
    elif _PKCS12.match(data):
        what, has_key = "is in PKCS #12 form, and PEM is wanted", True
        command = typed("openssl", "pkcs12", "-nodes", "-in", path, "-out", made)
    elif data.startswith(b"\x30"):
        what = "is in DER form, and PEM is wanted"
        command = typed("openssl", tool, "-inform", "DER", "-in", path, "-out", made)
    else:
        what = f"is not a {wanted} in PEM form"
    if command and has_key:
        # LibreSSL leaves it to the umask who may read the key that it writes, as shells do.
        command = f"(umask 077; {command})"
    return CertificateError(f"{path} {what}", *filter(None, [command]))
