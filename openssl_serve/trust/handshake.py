"""A program of its own: one TLS handshake with a server, trusting one bundle of CAs and no other.

    handshake.py BUNDLE CERTIFICATE KEY HOST

Leaves with TRUSTED, or with REFUSED and the reason on stdout. Run as a file, in a new process, so
that nothing which this program has loaded or cached has a part in the verdict; imports the
standard library alone.
"""

import ssl
import sys

TRUSTED, REFUSED = 0, 3
"""Not 1: with that, Python leaves for every mistake."""


def refusal(bundle: str, cert: str, key: str, host: str) -> str | None:
    """Why a client that trusts *bundle* refuses the server as *host*; None when it does not."""
    judge = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    judge.load_verify_locations(bundle)
    # RFC 5280 to the letter, as the default is from Python 3.13 on.
    judge.verify_flags |= ssl.VERIFY_X509_STRICT
    presenter = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    presenter.load_cert_chain(cert, key)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = judge.wrap_bio(to_client, to_server, server_hostname=host)
    server = presenter.wrap_bio(to_server, to_client, server_side=True)
    # Each side needs two turns in TLS 1.3, three in 1.2; the rest is margin.
    for _ in range(5):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLCertVerificationError as error:
                return error.verify_message
    # None before the certificate was judged.
    return None if client.version() and client.getpeercert() else "the handshake did not end"


if __name__ == "__main__":
    because = refusal(*sys.argv[1:])
    if because is not None:
        sys.stdout.write(f"{because}\n")
    sys.exit(TRUSTED if because is None else REFUSED)
