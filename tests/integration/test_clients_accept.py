"""Clients that we did not write accept what we make: those of the lab that are installed here."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

NODE = """
const [port, host, ca] = process.argv.slice(1);
const socket = require('tls').connect({port, host: '127.0.0.1', servername: host,
  ca: require('fs').readFileSync(ca)}, () => { console.log(socket.authorized); socket.end(); });
socket.on('error', (error) => { console.log(error.code); process.exit(1); });
"""

PYTHON = """
import socket, ssl, sys
port, host, ca = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)
# The default from Python 3.13 on.
context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
with socket.create_connection(("127.0.0.1", int(port)), 10) as raw:
    context.wrap_socket(raw, server_hostname=host).close()
"""


def curl(port, host, ca):
    resolve = f"{host}:{port}:127.0.0.1"
    words = ["curl", "-sS", "--noproxy", "*", "--cacert", ca, "--resolve", resolve]
    # The server only shakes hands: 52 is "nothing after that", 56 "closed".
    return [*words, f"https://{host}:{port}/"], (0, 52, 56)


def node(port, host, ca):
    return ["node", "-e", NODE, str(port), host, ca], (0,)


def python(port, host, ca):
    return [sys.executable, "-c", PYTHON, str(port), host, ca], (0,)


def openssl(port, host, ca):
    words = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", host]
    return [*words, "-CAfile", ca, "-verify_return_error", "-x509_strict"], (0, 1)


CLIENTS = [curl, node, python, openssl]


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.__name__)
@pytest.mark.parametrize(
    "made",
    [
        ["--ca"], ["--ca", "--permit", "test"], ["--ca", "--key-type", "rsa2048"],
        ["--self-signed"], ["--self-signed", "--key-type", "p384"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_accepts(cli, home, served, client, made):
    cli.good("generate", "a.test", "*.b.test", *made)
    cert = home / "a_test.crt"
    port = served(cert, cert.with_suffix(".key"))
    ca = home / "_local_ca.crt" if "--ca" in made else cert

    for host in ("a.test", "x.b.test", "localhost"):
        code, said, good = call(client, port, host, ca)
        assert code in good, said
        if client is openssl:
            assert "Verify return code: 0 (ok)" in said
        if client is node:
            assert said == "true\n"


@pytest.mark.parametrize("client", [curl, node, python], ids=lambda client: client.__name__)
def test_refuses_another_host(cli, home, served, client):
    cli.good("generate", "--ca", "a.test")
    cert = home / "a_test.crt"
    port = served(cert, cert.with_suffix(".key"))

    code, said, good = call(client, port, "b.test", home / "_local_ca.crt")

    assert code not in good, said


def call(client, port, host, ca):
    command, good = client(port, host, str(ca))
    if not (shutil.which(command[0]) or Path(command[0]).exists()):
        pytest.skip(f"no {client.__name__} here")
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, check=False
    )
    return done.returncode, done.stdout if client is node else done.stdout + done.stderr, good
