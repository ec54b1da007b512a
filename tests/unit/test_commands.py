import itertools

import pytest

from openssl_serve.certs.profile import KeyType
from openssl_serve.openssl import commands
from openssl_serve.openssl.commands import Issuer, Recipe

# What one of OpenSSL 1.1.1 … 3.6 and LibreSSL 3.3 … 4.x lacks, or does differently.
UNPORTABLE = {
    "-addext", "-noenc", "-nodes", "-ext", "-checkhost", "-checkip", "-verify_hostname",
    "-verify_ip", "-partial_chain", "-no-CApath", "-copy_extensions", "-not_before", "-not_after",
    "-dateopt", "-check", "-help", "-legacy", "-subj", "-CAcreateserial", "-traditional",
}  # fmt: skip


def every_step():
    issuer = Issuer("/ca.crt", "/ca.key")
    return [
        *(commands.self_signed("ca", 9, "0x1", new_key=kind.value) for kind in KeyType),
        commands.self_signed("self_signed", 365, "0x1"),
        commands.new_request(new_key="p256"),
        commands.new_request(),
        commands.sign(issuer, "leaf", 365, "0x1"),
    ]


@pytest.mark.parametrize("step", every_step(), ids=lambda step: " ".join(step.arguments[:4]))
def test_only_what_every_flavour_knows(step):
    assert not UNPORTABLE & set(step.arguments)
    assert step.arguments[-2:] == ("-out", step.makes[-1])
    options = dict(itertools.pairwise(step.arguments))
    assert step.makes[:-1] == ((options["-keyout"],) if "-newkey" in options else ())
    assert not any("pass" in word for word in step.arguments)


@pytest.mark.parametrize(
    "step",
    [commands.self_signed("ca", 1, "0x2"), commands.sign(Issuer("a", "b"), "leaf", 1, "0x2")],
)
def test_a_certificate_always_gets_our_serial_and_our_extensions(step):
    assert "-set_serial" in step.arguments
    assert "-extensions" in step.arguments
    assert {"-config", "-extfile"} & set(step.arguments)


def test_a_request_has_no_extensions_of_its_own():
    """From OpenSSL 3.2 on, req would apply the certificate's, and fail on the AKI."""
    assert "-extensions" not in commands.new_request().arguments


def test_a_script_quotes_what_the_shell_would_read():
    recipe = Recipe(
        "[a]\nb = $c\n", (commands.sign(Issuer("/a b/ca.crt", "/k"), "leaf", 9, "0x2"),)
    )

    script = recipe.as_script()

    assert "cat >openssl.cnf <<'END'\n[a]\nb = $c\nEND\n" in script
    assert "-CA '/a b/ca.crt' " in script
