"""The proof that a server is trusted: a TLS handshake in memory, with one side for each.

Also a program of its own, in which a bundle of CAs is all that is trusted:

    handshake.py BUNDLE CERTIFICATE KEY HOST

It leaves with TRUSTED, or with REFUSED and the reason on stdout. Run as a file, in a new process,
so that nothing which this program has loaded or cached has a part in the verdict; so this file
imports the standard library alone.
"""

import ssl
import sys

TRUSTED, REFUSED = 0, 3
"""Not 1: with that, Python leaves for every mistake."""


def refusal(judge: ssl.SSLContext, presenter: ssl.SSLContext, host: str) -> str | None:
    """Why a client with the context *judge* refuses *presenter*'s server as *host*; None if not.

    Raises ssl.SSLError when it is not the certificate that keeps them from an agreement.
    """
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


def system_refusal(presenter: ssl.SSLContext, host: str) -> str | None:
    """Why a program that trusts what this system does refuses the server; None if it does not."""
    try:
        return refusal(ssl.create_default_context(), presenter, host)
    except ssl.SSLError as error:
        return str(error.reason or error).replace("_", " ").lower()


def _refusal_with(bundle: str, cert: str, key: str, host: str) -> str | None:
    judge = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    judge.load_verify_locations(bundle)
    # RFC 5280 to the letter, as the default is from Python 3.13 on.
    judge.verify_flags |= ssl.VERIFY_X509_STRICT
    presenter = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    presenter.load_cert_chain(cert, key)
    return refusal(judge, presenter, host)


if __name__ == "__main__":
    because = _refusal_with(*sys.argv[1:])
    if because is not None:
        sys.stdout.write(f"{because}\n")
    sys.exit(TRUSTED if because is None else REFUSED)
