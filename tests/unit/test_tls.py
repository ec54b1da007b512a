import ssl

import pytest
from certificates import CA_FALSE, KEY, SERVER, make, ours, shake_hands, write
from cryptography.hazmat.primitives.asymmetric import ec

from openssl_serve.errors import CertificateError
from openssl_serve.tls import client_context, server_context, trust


@pytest.fixture
def files(tmp_path):
    cert = write(tmp_path / "a.crt", ours(names=("a.test",)))
    return cert, write(tmp_path / "a.key", KEY)


def test_a_context_speaks_tls_1_2_and_1_3_with_forward_secrecy(files):
    context = server_context(*files)

    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    for cipher in context.get_ciphers():
        assert cipher["name"].startswith(("TLS_", "ECDHE-")), cipher
        assert cipher["aead"]
    client, errors = shake_hands(context, client_context(files[0]))
    assert errors == []
    assert client.version() == "TLSv1.3"


@pytest.mark.parametrize("missing", [0, 1])
def test_a_pair_that_cannot_be_loaded_is_an_os_error(files, missing):
    files[missing].unlink()

    with pytest.raises(OSError, match="No such file"):
        server_context(*files)


def test_an_encrypted_key_does_not_ask_on_the_terminal(files):
    write(files[1], KEY, password="secret word")

    with pytest.raises(ssl.SSLError):
        server_context(*files)
    assert server_context(files[0], files[1], lambda: "secret word")


OTHER = ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def leaf(tmp_path):
    """A pair of the user's, whose issuer is not here."""
    found = make(CA_FALSE, SERVER, names=("a.test",), issuer="another CA", signed_by=OTHER)
    return write(tmp_path / "leaf.crt", found), write(tmp_path / "leaf.key", KEY)


class TestClientContext:
    def test_trusts_the_certificate_and_its_names_alone(self, files):
        context = client_context(files[0])

        assert shake_hands(server_context(*files), context)[1] == []
        (error,) = shake_hands(server_context(*files), context, "b.test")[1][:1]
        assert "Hostname mismatch" in str(error)

    def test_trusts_a_leaf_without_its_issuer(self, leaf):
        assert shake_hands(server_context(*leaf), client_context(leaf[0]))[1] == []

    def test_trusts_nothing_else(self, files, leaf):
        (error,) = shake_hands(server_context(*leaf), client_context(files[0]))[1][:1]

        assert "unable to get local issuer certificate" in str(error)
        assert len(client_context(files[0]).get_ca_certs()) == 1

    @pytest.mark.parametrize(
        ("content", "message"), [(None, "no such file"), (b"nothing", "no certificate")]
    )
    def test_says_which_file_cannot_be_loaded(self, tmp_path, content, message):
        path = tmp_path / "a.crt"
        if content is not None:
            path.write_bytes(content)

        with pytest.raises(CertificateError, match=f"{path}: cannot be loaded: .*{message}"):
            client_context(path)
        with pytest.raises(CertificateError, match=message):
            trust(ssl.create_default_context(), path)


def test_trust_adds_to_what_a_context_trusts_already(files, leaf):
    context = client_context(files[0])

    trust(context, leaf[0])

    assert shake_hands(server_context(*files), context)[1] == []
    assert shake_hands(server_context(*leaf), context)[1] == []
