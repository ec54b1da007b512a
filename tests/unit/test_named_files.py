"""Files that the user names: where one may go, and that it is there whole or not at all."""

import os
import resource
from contextlib import contextmanager

import pytest

from openssl_serve.cli.files import check_out, write_new
from openssl_serve.errors import UsageError


@contextmanager
def full_disk():
    """Not a byte can be written to a file; Python ignores the signal that comes with it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_file_that_cannot_be_written_is_as_before(tmp_path, overwrite):
    path = tmp_path / "a.pem"
    if overwrite:
        path.write_bytes(b"old")

    with full_disk(), pytest.raises(UsageError, match=r"a\.pem: cannot be written: file too large"):
        write_new(path, b"new", 0o600, overwrite=overwrite)

    assert {found.name: found.read_bytes() for found in tmp_path.iterdir()} == (
        {"a.pem": b"old"} if overwrite else {}
    )


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_the_mode_is_what_was_asked_for(tmp_path, mode, overwrite):
    path = tmp_path / ("a" * 255)
    if overwrite:
        path.touch(0o666)

    write_new(path, b"new", mode, overwrite=overwrite)

    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == mode
    assert os.listdir(tmp_path) == [path.name]


def test_what_came_meanwhile_is_not_overwritten(tmp_path):
    (tmp_path / "a").write_bytes(b"theirs")

    with pytest.raises(UsageError, match="file exists"):
        write_new(tmp_path / "a", b"new", 0o600, overwrite=False)

    assert (tmp_path / "a").read_bytes() == b"theirs"


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_place_that_is_none(tmp_path, overwrite):
    (tmp_path / "link").symlink_to("nowhere")
    os.mkfifo(tmp_path / "fifo")
    cases = {
        tmp_path: "is a folder",
        tmp_path / "link": "is not a regular file",
        tmp_path / "fifo": "is not a regular file",
        tmp_path / "absent" / "a.pem": f"there is no folder {tmp_path / 'absent'}",
    }

    for path, words in cases.items():
        with pytest.raises(UsageError, match=words) as caught:
            check_out(path, "x", overwrite=overwrite)
        assert str(caught.value).startswith(f"--out {path}")
        assert caught.value.hints


def test_a_file_that_is_there(tmp_path):
    path = tmp_path / "a"
    check_out(path)
    path.touch()

    check_out(path, overwrite=True)
    with pytest.raises(UsageError, match="exists already") as caught:
        check_out(path, "--force overwrites it")

    assert caught.value.hints == ("--force overwrites it",)
