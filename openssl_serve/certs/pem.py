"""PEM text (RFC 7468): find the labelled blocks; what is in them is read elsewhere."""

import binascii
import re
from typing import NamedTuple

from openssl_serve.errors import CertificateError

CERTIFICATE_LABELS = ("CERTIFICATE", "X509 CERTIFICATE")

_BLOCK = re.compile(
    rb"^-----BEGIN ([A-Z0-9 ]{1,60})-----[ \t]*\r?\n(.*?)^-----END \1-----",
    re.MULTILINE | re.DOTALL,
)
_FIELD = re.compile(rb"^[A-Za-z-]+:.*\n(?:[ \t].*\n)*", re.MULTILINE)


class Block(NamedTuple):
    """One block: its label, its header fields (RFC 1421, old encrypted keys), its text."""

    label: str
    fields: bytes
    text: bytes

    @property
    def is_private_key(self) -> bool:
        """Whether this is a secret."""
        return self.label.endswith("PRIVATE KEY")

    @property
    def is_encrypted(self) -> bool:
        """Whether a password is needed to read it."""
        return self.label == "ENCRYPTED PRIVATE KEY" or b"ENCRYPTED" in self.fields

    @property
    def der(self) -> bytes:
        """The bytes in it. Raises CertificateError when that is no base64."""
        try:
            return binascii.a2b_base64(b"".join(self.text.split()), strict_mode=True)
        except binascii.Error as error:
            raise CertificateError(f"the {self.label} block is not base64") from error


def blocks(data: bytes) -> list[Block]:
    """The blocks of *data* in order; text between them is a comment."""
    found = []
    for label, body in _BLOCK.findall(data):
        fields = b"".join(_FIELD.findall(body))
        found.append(Block(label.decode("ascii"), fields, _FIELD.sub(b"", body)))
    return found
