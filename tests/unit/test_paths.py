from pathlib import Path

import appdirs
import pytest

from openssl_serve.errors import StoreError, UsageError
from openssl_serve.paths import data_folder, expand, users_home


def test_the_variable_wins(monkeypatch, tmp_path):
    monkeypatch.setenv("OPENSSL_SERVE_HOME", str(tmp_path))

    assert data_folder() == tmp_path


def test_a_relative_folder_is_made_absolute_and_a_tilde_means_home(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENSSL_SERVE_HOME", "certs")
    assert data_folder() == tmp_path / "certs"

    monkeypatch.setenv("OPENSSL_SERVE_HOME", "~/certs")
    assert data_folder() == Path.home() / "certs"


def test_without_it_the_user_data_folder_of_the_system(monkeypatch):
    for value in (None, ""):
        monkeypatch.delenv("OPENSSL_SERVE_HOME", raising=False)
        if value is not None:
            monkeypatch.setenv("OPENSSL_SERVE_HOME", value)

        assert data_folder() == Path(appdirs.user_data_dir("openssl-serve"))


def test_xdg_data_home_counts_on_linux(monkeypatch, tmp_path):
    monkeypatch.delenv("OPENSSL_SERVE_HOME", raising=False)
    monkeypatch.setattr(appdirs, "system", "linux2")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))

    assert data_folder() == tmp_path / "openssl-serve"


@pytest.mark.parametrize("found", ["~/.local/share/openssl-serve", "share/openssl-serve"])
def test_without_a_home_nothing_is_made_in_the_current_folder(monkeypatch, found):
    """code-server makes a folder named ~ (its issues 514 and 451)."""
    monkeypatch.delenv("OPENSSL_SERVE_HOME", raising=False)
    monkeypatch.setattr(appdirs, "user_data_dir", lambda _name: found)

    with pytest.raises(StoreError, match="there is no home to keep certificates in") as caught:
        data_folder()

    assert "OPENSSL_SERVE_HOME" in caught.value.hints[0]


def test_a_tilde_of_nobody_is_an_error_of_ours(monkeypatch):
    monkeypatch.setenv("OPENSSL_SERVE_HOME", "~nobody-of-this-name/x")

    with pytest.raises(UsageError, match="~nobody-of-this-name/x: there is no such user"):
        data_folder()
    assert expand("~/x") == Path.home() / "x"
    assert expand("x/~") == Path("x/~")


class TestEmptyHome:
    @pytest.fixture(autouse=True)
    def _empty_home(self, monkeypatch):
        monkeypatch.setenv("HOME", "")
        for name in ("OPENSSL_SERVE_HOME", "XDG_DATA_HOME"):
            monkeypatch.delenv(name, raising=False)

    def test_nothing_is_kept_at_the_root(self):
        with pytest.raises(StoreError, match="HOME is empty") as caught:
            data_folder()

        assert "OPENSSL_SERVE_HOME" in caught.value.hints[0]

    def test_no_trust_store_is_looked_for_there(self):
        assert users_home() is None

    @pytest.mark.parametrize("path", ["~", "~/x"])
    def test_a_tilde_is_nobodys(self, path):
        with pytest.raises(UsageError, match="HOME is empty"):
            expand(path)
        assert expand("x/~") == Path("x/~")

    def test_what_is_named_counts(self, monkeypatch, tmp_path):
        monkeypatch.setattr("sys.platform", "linux")
        monkeypatch.setattr(appdirs, "system", "linux2")
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))

        assert data_folder() == tmp_path / "openssl-serve"


def test_an_empty_xdg_data_home_is_none(monkeypatch):
    monkeypatch.delenv("OPENSSL_SERVE_HOME", raising=False)
    monkeypatch.setattr(appdirs, "system", "linux2")
    monkeypatch.setenv("XDG_DATA_HOME", "")

    assert data_folder() == Path.home() / ".local/share/openssl-serve"
