import errno
import os
import resource
import signal
import stat
import subprocess
import threading
from functools import partial

import pytest
from certificates import profile
from processes import NOBODY, in_child, killed_at

from openssl_serve.certs import folder as folder_module
from openssl_serve.certs.folder import Folder
from openssl_serve.certs.store import Store
from openssl_serve.errors import OpensslFailedError, StoreError


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def put(folder, **files):
    """Publish *files* (name=text) together."""
    with folder.writing(), folder.stage() as stage:
        for name, text in files.items():
            (stage / name).write_text(text)
        folder.publish(stage, list(files))


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path / "data")


def locked_out(enter):
    with pytest.raises(StoreError) as caught, enter():
        pass
    return str(caught.value)


def contents(folder):
    return {p.name: p.read_text() for p in folder.path.iterdir() if p.name != ".lock"}


def test_files_appear_together_and_replace_what_was_there(folder):
    put(folder, a="1", b="2")
    put(folder, b="3", c="4")

    assert contents(folder) == {"a": "1", "b": "3", "c": "4"}


def test_it_is_private_whatever_the_umask(tmp_path, open_umask):
    """L15. Its parents as well: others could put another folder in its place."""
    folder = Folder(tmp_path / "one" / "two" / "data")

    put(folder, a="1")

    for path in (folder.path, folder.path.parent, folder.path.parent.parent):
        assert mode(path) == 0o700
    assert mode(folder.path / ".lock") == 0o600


def test_our_own_folder_is_closed_when_it_was_open(folder):
    folder.path.mkdir(mode=0o755)

    put(folder, a="1")

    assert mode(folder.path) == 0o700


def test_a_shared_folder_and_the_home_keep_their_mode(tmp_path, monkeypatch):
    for name, wanted in (("tmp", 0o1777), ("home", 0o755)):
        path = tmp_path / name
        path.mkdir()
        path.chmod(wanted)
        monkeypatch.setenv("HOME", str(tmp_path / "home"))

        put(Folder(path), a="1")

        assert mode(path) == wanted


def test_a_stage_is_private_and_gone_at_the_end(folder, open_umask):
    with folder.writing():
        with folder.stage() as stage:
            assert mode(stage) == 0o700
            (stage / "secret").write_text("x")
        assert not stage.exists()
        with pytest.raises(ZeroDivisionError), folder.stage() as stage:
            raise ZeroDivisionError
        assert not stage.exists()

    assert contents(folder) == {}


def test_only_what_is_published_is_seen(folder):
    with folder.writing(), folder.stage() as stage:
        (stage / "a").write_text("1")
        (stage / "scratch").write_text("x")
        folder.publish(stage, ["a"])

    assert contents(folder) == {"a": "1"}


def test_set_aside_finds_a_free_name(folder):
    put(folder, a="1")
    with folder.writing():
        assert folder.set_aside(folder.path / "a").name == "a.aside-1"
    put(folder, a="2")
    with folder.writing():
        assert folder.set_aside(folder.path / "a").name == "a.aside-2"

    assert contents(folder) == {"a.aside-1": "1", "a.aside-2": "2"}


def test_readers_share_and_a_writer_excludes(folder, monkeypatch):
    monkeypatch.setattr(folder_module, "LOCK_TIMEOUT_S", 0)
    put(folder, a="1")

    with folder.reading(), folder.reading():
        assert "another process has held the lock" in locked_out(folder.writing)
    with folder.writing():
        assert locked_out(folder.reading)
        assert locked_out(folder.writing)


def test_a_writer_waits_for_the_one_before(folder):
    put(folder, a="1")
    inside = threading.Event()
    order = []

    def second():
        inside.wait(10)
        with folder.writing():
            order.append("second")

    thread = threading.Thread(target=second)
    thread.start()
    with folder.writing():
        inside.set()
        order.append("first")
    thread.join(10)

    assert order == ["first", "second"]


def test_reading_writes_nothing(folder):
    with folder.reading():
        assert not folder.has_leftovers()

    assert not folder.path.exists()


def test_killed_at_every_step_all_or_nothing(tmp_path):
    for number in range(1, 200):
        folder = Folder(tmp_path / str(number))
        put(folder, a="old", b="old")

        killed = killed_at(number, partial(put, folder, a="new", b="new"))

        with folder.writing():
            assert not folder.has_leftovers()
        assert contents(folder) in ({"a": "old", "b": "old"}, {"a": "new", "b": "new"})
        if not killed:
            assert contents(folder)["a"] == "new"
            assert number > 12
            return
    raise AssertionError


def test_killed_while_it_mends_after_a_kill(tmp_path):
    for number in range(1, 200):
        folder = Folder(tmp_path / str(number))
        put(folder, a="old", b="old")
        with folder.writing():
            # Committed, and no further.
            ready = folder.path / ".ready-1"
            ready.mkdir()
            (ready / "a").write_text("new")
            (ready / "b").write_text("new")
            (folder.path / ".stage-1").mkdir()
            (folder.path / ".stage-1" / "key.pem").touch()
        assert folder.has_leftovers()

        def mend(folder=folder):
            with folder.writing():
                pass

        killed = killed_at(number, mend)

        mend()
        assert contents(folder) == {"a": "new", "b": "new"}
        if not killed:
            return
    raise AssertionError


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda path: path.write_text("x"), "not a directory|file exists"),
        (
            lambda path: (path.parent.joinpath("f").write_text("x"), path.symlink_to("f")),
            "director|exists",
        ),
        (
            lambda path: path.symlink_to(path.parent / "absent" / "deep"),
            "not a directory|file exists",
        ),
    ],
)
def test_a_folder_that_is_none(tmp_path, make, why):
    path = tmp_path / "data"
    make(path)

    with pytest.raises(StoreError, match=why) as caught:
        put(Folder(path), a="1")

    assert str(path) in str(caught.value)
    assert caught.value.exit_code == 4
    assert "OPENSSL_SERVE_HOME" in caught.value.hints[0]


def test_a_folder_that_may_not_be_made(public):
    folder = Folder(public / "data")

    with pytest.raises(
        StoreError, match=f"{public / 'data'}: cannot be written: permission denied"
    ):
        in_child(lambda: put(folder, a="1"), user=NOBODY)

    assert list(public.iterdir()) == []


def test_somebody_elses_folder(public):
    folder = Folder(public / "data")
    put(folder, a="1")
    folder.path.chmod(0o755)

    (folder.path / ".lock").chmod(0o666)

    with pytest.raises(StoreError) as caught:
        in_child(lambda: put(folder, a="2"), user=NOBODY)

    assert str(caught.value) == f"{folder.path}: cannot be written: permission denied"

    assert contents(folder) == {"a": "1"}


@pytest.mark.parametrize("call", ["mkdir", "rename", "fsync", "replace"])
def test_a_full_disk_leaves_what_was_there(folder, monkeypatch, call):
    put(folder, a="1")
    original = getattr(os, call)

    def full(*arguments, **options):
        if call != "replace" or ".ready" in str(arguments[0]):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), arguments[0])
        return original(*arguments, **options)

    monkeypatch.setattr(os, call, full)
    with pytest.raises(StoreError, match="no space left on device") as caught:
        put(folder, a="2")
    monkeypatch.undo()

    assert "make room" in caught.value.hints[0]
    with folder.writing():
        pass
    # From the commit on it is the new one that stays.
    assert contents(folder) == {"a": "2" if call == "replace" else "1"}


def test_a_file_system_without_locks_can_be_read_but_not_written(folder, monkeypatch):
    put(folder, a="1")

    def none(*_arguments):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", none)

    with folder.reading():
        pass
    with pytest.raises(StoreError, match="no locks available"):
        put(folder, a="2")
    assert contents(folder) == {"a": "1"}


@pytest.fixture
def small_disk(tmp_path):
    """A file system of eight pages, where only root can make one."""
    path = tmp_path / "disk"
    path.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root mounts")
    options = ["-o", "size=32k,nr_inodes=40,mode=700"]
    if subprocess.run(["mount", "-t", "tmpfs", *options, "t", path], check=False).returncode != 0:
        pytest.skip("mounting is not allowed here")
    yield path
    subprocess.run(["umount", path], check=True)


def fill(path):
    """Leave not one byte."""
    descriptor = os.open(path / "ballast", os.O_WRONLY | os.O_CREAT)
    with pytest.raises(OSError, match="No space left"):
        write_for_ever(descriptor)
    return descriptor


def write_for_ever(descriptor):
    while True:
        os.write(descriptor, b"x" * 4096)


def test_a_disk_that_is_really_full(small_disk):
    """With the real openssl, and with room for everything but its last file, or the one before.

    The old pair is intact; enough room brings the new one.
    """
    store = Store(small_disk / "data")
    kept = store.ensure(profile("a.test"))
    before = {path.name: path.read_bytes() for path in store.folder.iterdir()}
    ballast = fill(small_disk)
    size = os.fstat(ballast).st_size

    for pages in range(3):
        os.truncate(ballast, size - 4096 * pages)
        for asked in (profile("a.test", "b.test"), profile("c.test")):
            with pytest.raises(StoreError, match="no space left on device") as caught:
                store.ensure(asked)
            assert "make room" in caught.value.hints[0]
            assert {path.name: path.read_bytes() for path in store.folder.iterdir()} == before
    assert store.ensure(profile("a.test")).facts == kept.facts

    os.close(ballast)
    (small_disk / "ballast").unlink()
    assert "b.test" in store.ensure(profile("a.test", "b.test")).facts.names


@pytest.mark.parametrize("limit", [50, 400, 1000, 1500])
def test_a_disk_that_fills_up_while_openssl_writes(tmp_path, limit):
    """By a limit on the size of files: ours, or openssl's, is the first that does not fit."""
    store = Store(tmp_path / "data")

    def limited():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        try:
            store.ensure(profile("a.test", *(f"h{n}.test" for n in range(30))))
        except (StoreError, OpensslFailedError) as error:
            return str(error)
        return ""

    said = in_child(limited)

    assert said
    assert [path.name for path in store.folder.iterdir()] == [".lock"]
