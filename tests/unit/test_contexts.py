import ssl

import pytest
from certificates import KEY, ours, shake_hands, write
from cryptography.hazmat.primitives.asymmetric import ec

from openssl_serve.server.contexts import (
    FixedContext,
    ReloadingContext,
    SniContexts,
    refusal,
)
from openssl_serve.tls import server_context


@pytest.fixture
def files(tmp_path):
    cert = write(tmp_path / "a.crt", ours(names=("a.test",)))
    return cert, write(tmp_path / "a.key", KEY)


def trusting(cert):
    return ssl.create_default_context(cafile=str(cert))


def alerts(server, client, name="a.test"):
    errors = shake_hands(server, client, name)[1]
    return [line for error in errors if (line := refusal(error))]


def test_a_client_that_does_not_know_the_issuer_is_understood(files):
    (line,) = alerts(server_context(*files), ssl.create_default_context())

    assert "refused the certificate" in line
    assert "\n" not in line


def test_a_client_with_nothing_in_common_is_understood(files):
    client = trusting(files[0])
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    client.set_ciphers("ECDHE-ECDSA-AES128-SHA256")
    server = server_context(*files)

    assert "shares no cipher suite with this server" in alerts(server, client)


@pytest.mark.parametrize("error", [OSError(104, "reset"), TimeoutError()])
def test_what_nobody_could_learn_from_is_not_told(error):
    assert refusal(error) is None


def test_a_fixed_context_is_always_the_same(files):
    context = server_context(*files)
    fixed = FixedContext(context)
    fixed.reload()

    assert fixed.current() is context


class Reloading:
    """A ReloadingContext of *files*, with a clock that is set by hand."""

    def __init__(self, files):
        self.now = 0.0
        self.told: list[str] = []
        self.context = ReloadingContext(
            lambda: server_context(*files), files, self.told.append, lambda: self.now
        )

    def later(self):
        self.now += ReloadingContext.LOOK_S
        return self.context.current()


def test_a_new_pair_is_used_after_the_next_look(files):
    reloading = Reloading(files)
    first = reloading.context.current()
    write(files[0], ours(names=("b.test",)))

    assert reloading.context.current() is first
    second = reloading.later()
    assert second is not first
    assert shake_hands(second, trusting(files[0]), "b.test")[1] == []
    assert reloading.later() is second
    assert len(reloading.told) == 1


def test_a_bad_new_pair_keeps_the_old_one_and_says_so_once(files):
    reloading = Reloading(files)
    first = reloading.context.current()
    files[0].write_text("garbage")

    for _ in range(5):
        assert reloading.later() is first
    (line,) = reloading.told
    assert str(files[0]) in line
    assert "\n" not in line
    write(files[0], ours(names=("b.test",)))
    assert reloading.later() is not first


def test_a_pair_that_is_being_replaced_is_no_news(files):
    """The key is there before its certificate: what fails at one look is whole at the next."""
    reloading = Reloading(files)
    first = reloading.context.current()
    other = ec.generate_private_key(ec.SECP256R1())
    write(files[1], other)
    assert reloading.later() is first
    write(files[0], ours(names=("b.test",), key=other))

    assert reloading.later() is not first
    assert len(reloading.told) == 1
    assert "cannot" not in reloading.told[0]


def test_who_looks_without_a_client_sees_the_same(files):
    reloading = Reloading(files)
    contexts = SniContexts([(lambda _name: True, reloading.context)])
    write(files[0], ours(names=("b.test",)))
    reloading.now += ReloadingContext.LOOK_S
    contexts.look()

    assert len(reloading.told) == 1


def test_who_keeps_quiet_does_all_else(files):
    reloading = Reloading(files)
    contexts = SniContexts([(lambda _name: True, reloading.context)])
    first = contexts.current()
    contexts.keep_quiet()
    write(files[0], ours(names=("b.test",)))

    assert reloading.later() is not first
    assert contexts.current() is not first
    contexts.reload()
    files[0].write_text("garbage")
    contexts.reload()
    assert reloading.told == []


def test_files_that_are_gone_change_nothing(files):
    reloading = Reloading(files)
    first = reloading.context.current()
    files[0].unlink()

    assert reloading.later() is first
    assert reloading.later() is first
    assert len(reloading.told) == 1


def test_a_reload_by_hand_looks_at_once_and_always_says_what_it_found(files):
    reloading = Reloading(files)
    first = reloading.context.current()
    reloading.context.reload()
    assert reloading.context.current() is not first
    files[0].write_text("garbage")
    reloading.context.reload()
    reloading.context.reload()

    assert ["cannot" in line for line in reloading.told] == [False, True, True]
