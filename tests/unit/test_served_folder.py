"""What a target names in a folder, and what is never shown (tests/integration has the sockets)."""

import errno
import os
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openssl_serve.errors import HttpError, UsageError
from openssl_serve.handlers.folder import Folder, not_found


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (root / "sub" / "file").write_text("public")
    (root / ".hidden").write_text("hidden")
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "root-sibling").mkdir()
    (tmp_path / "root-sibling" / "secret").write_text("secret")
    return root


def refused(folder, path):
    with pytest.raises(HttpError) as caught:
        os.close(folder.open(os.fsencode(path)).fd)
    return caught.value.status


def read(folder, path):
    opened = folder.open(os.fsencode(path))
    try:
        return os.read(opened.fd, 1000)
    finally:
        os.close(opened.fd)


@pytest.mark.parametrize(
    ("target", "names"),
    [
        (b"/", [b""]),
        (b"/a", [b"a"]),
        (b"/a/", [b"a", b""]),
        (b"/a/b?c/d", [b"a", b"b"]),
        (b"//a//b", [b"a", b"b"]),
        (b"/./a/.", [b"a", b""]),
        (b"/%61%2fb", [b"a", b"b"]),
        (b"/%2561", [b"%61"]),
        (b"/a%5cb", [b"a\\b"]),
        (b"/%ff", [b"\xff"]),
        (b"/%zz%", [b"%zz%"]),
        (b"/a%3Fb", [b"a?b"]),
        (b"/.well-known/x", [b".well-known", b"x"]),
        (b"/...", None),
        (b"/..a", None),
        (b"/..", None),
        (b"/a/../b", None),
        (b"/%2e%2e/b", None),
        (b"/..%2fb", None),
        (b"/.git/config", None),
        (b"/a/%2egit", None),
        (b"/x.key", None),
        (b"/X.PEM", None),
        (b"/x.key/y", None),
    ],
)
def test_a_target_is_decoded_once_into_names(tree, target, names):
    folder = Folder(tree)

    if names is None:
        with pytest.raises(HttpError) as caught:
            folder.segments(target)
        assert caught.value.status == 404
    else:
        assert folder.segments(target) == names


def test_a_nul_is_no_name(tree):
    with pytest.raises(HttpError) as caught:
        Folder(tree).segments(b"/a%00.html")

    assert caught.value.status == 400


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.sampled_from(
            [b"/", b"..", b".", b"%2e", b"%2f", b"%5c", b"\\", b"sub", b"file", b"secret", b"root",
             b"root-sibling", b"%252e", b"%00", b"%", b"?", b"link", b".hidden"]
        ) | st.binary(max_size=3)
    ).map(b"".join)
)  # fmt: skip
def test_no_target_leads_out_of_the_root(tree, target):
    folder = Folder(tree)
    try:
        path = folder.path_of(folder.segments(b"/" + target))
        content = read(folder, path)
    except HttpError:
        return

    assert content == b"public"


@pytest.mark.parametrize("hidden", [False, True])
def test_hidden_files_are_shown_when_asked_for(tree, hidden):
    folder = Folder(tree, hidden=hidden)

    if hidden:
        assert read(folder, tree / ".hidden") == b"hidden"
    else:
        assert refused(folder, tree / ".hidden") == 404


def link(tree, name, target):
    (tree / name).symlink_to(target)
    return tree / name


def test_links_within_the_root_are_followed(tree):
    folder = Folder(tree)

    assert read(folder, link(tree, "a", "sub/file")) == b"public"
    assert read(folder, link(tree, "b", "sub") / "file") == b"public"
    assert folder.is_folder(os.fsencode(tree / "b"))


@pytest.mark.parametrize("target", ["../secret", "../root-sibling/secret", ".hidden", "loop"])
def test_links_to_what_is_not_served_are_as_good_as_missing(tree, target):
    folder = Folder(tree)

    assert refused(folder, link(tree, "loop", target)) == 404


def test_a_folder_that_a_link_leads_to_is_judged_like_a_file(tree):
    (tree / ".git").mkdir()
    folder = Folder(tree)

    assert not folder.is_folder(os.fsencode(link(tree, "out", "..")))
    assert not folder.is_folder(os.fsencode(link(tree, "sibling", "../root-sibling")))
    assert not folder.is_folder(os.fsencode(link(tree, "repository", ".git")))
    assert folder.is_folder(os.fsencode(link(tree, "top", ".")))


def test_the_root_may_be_reached_through_a_link_and_lie_in_a_hidden_folder(tmp_path):
    real = tmp_path / ".cache" / "x.key"
    real.mkdir(parents=True)
    (real / "file").write_text("public")
    folder = Folder(link(tmp_path, "www", real))

    assert read(folder, folder.root + b"/file") == b"public"


def test_a_root_of_everything_has_one_slash():
    folder = Folder(Path("/"))

    assert folder.path_of([b"etc"]) == b"/etc"
    assert folder.is_folder(b"/usr")


@pytest.mark.parametrize("decoy", ["before", "after", "always"])
def test_a_link_swapped_between_opening_and_judging_gains_nothing(tree, monkeypatch, decoy):
    """Open sees one end of the link, realpath the other: what is open is not what was judged."""
    ends = ("sub/file", "../secret") if decoy == "before" else ("../secret", "sub/file")
    swapped = link(tree, "swapped", ends[0])
    real_open = os.open
    seen: list[bytes] = []

    def point(end):
        swapped.unlink()
        swapped.symlink_to(end)

    def swap(path, flags, *rest, **named):
        if seen and decoy == "always":
            point(ends[0])
        fd = real_open(path, flags, *rest, **named)
        seen.append(path)
        point(ends[1])
        return fd

    folder = Folder(tree)
    monkeypatch.setattr("openssl_serve.handlers.folder.os.open", swap)

    if decoy == "after":
        # Now it is an honest link.
        assert read(folder, swapped) == b"public"
    else:
        assert refused(folder, swapped) == 404
    assert len(seen) == {"before": 1, "after": 2, "always": 8}[decoy]


def test_a_file_that_is_replaced_is_there_all_the_time(tree, monkeypatch):
    """A build and most editors write another file and rename it, which may be at any moment."""
    path = tree / "sub" / "file"
    real_open = os.open

    def replace(opened, flags, *rest, **named):
        fd = real_open(opened, flags, *rest, **named)
        if not path.samefile(tree / "first"):
            return fd
        (tree / "new").write_text("new")
        (tree / "new").rename(path)
        return fd

    os.link(path, tree / "first")
    folder = Folder(tree)
    monkeypatch.setattr("openssl_serve.handlers.folder.os.open", replace)

    assert read(folder, path) == b"new"


def test_a_fifo_is_refused_without_waiting_for_its_writer(tree):
    os.mkfifo(tree / "fifo")

    assert refused(Folder(tree), tree / "fifo") == 404


@pytest.mark.parametrize("name", ["sub", "sub/file/", "missing", "a" * 300, "a/" * 2500, "a\0b"])
def test_what_is_no_file_is_not_found(tree, name):
    assert refused(Folder(tree), os.fspath(tree) + "/" + name) == 404


def test_no_refusal_keeps_a_descriptor(tree):
    folder = Folder(tree)
    os.mkfifo(tree / "fifo")
    link(tree, "out", "../secret")
    before = len(os.listdir("/proc/self/fd" if os.path.isdir("/proc/self") else "/dev/fd"))

    for name in ("fifo", "out", "sub", "missing", ".hidden"):
        refused(folder, tree / name)

    after = len(os.listdir("/proc/self/fd" if os.path.isdir("/proc/self") else "/dev/fd"))
    assert after == before


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
def test_want_of_descriptors_is_not_said_to_be_want_of_the_file(tree, monkeypatch, number):
    folder = Folder(tree)

    def full(*_args, **_named):
        raise OSError(number, "too many")

    monkeypatch.setattr("openssl_serve.handlers.folder.os.open", full)

    assert refused(folder, tree / "sub" / "file") == 503


def test_the_key_is_never_served_whatever_its_name(tree, tmp_path):
    key = tmp_path / "secret"
    os.link(key, tree / "harmless.txt")
    folder = Folder(tree, hidden=True, never=[key])

    assert refused(folder, tree / "harmless.txt") == 404
    assert folder.is_key((tree / "harmless.txt").stat())
    assert not folder.is_key((tree / "sub" / "file").stat())


def test_a_renewed_key_is_as_secret_as_the_first(tree):
    key = tree / "plain-name"
    key.write_text("old")
    folder = Folder(tree, never=[key])
    (tree / "new").write_text("new")
    (tree / "new").replace(key)

    assert refused(folder, key) == 404


def test_a_key_that_is_not_there_hides_nothing(tree):
    assert read(Folder(tree, never=[tree / "missing"]), tree / "sub" / "file") == b"public"


def test_each_refusal_is_an_error_of_its_own(tree):
    """One that is raised again and again would keep the frames of every time."""
    folder = Folder(tree)
    caught = []
    for _ in range(2):
        with pytest.raises(HttpError) as info:
            folder.segments(b"/..")
        caught.append(info.value)

    assert caught[0] is not caught[1]
    assert str(caught[0]) == str(not_found())


@pytest.mark.parametrize("what", ["missing", "a file"])
def test_only_a_folder_can_be_served(tree, what):
    path = tree / "missing" if what == "missing" else tree / "sub" / "file"

    with pytest.raises(UsageError) as caught:
        Folder(path)

    assert path.name in str(caught.value)
    assert caught.value.exit_code == 2


def test_what_was_opened_is_told(tree):
    opened = Folder(tree).open(os.fsencode(tree / "sub" / "file"))
    os.close(opened.fd)

    assert opened.path == os.fsencode(tree / "sub" / "file")
    assert stat.S_ISREG(opened.status.st_mode)
