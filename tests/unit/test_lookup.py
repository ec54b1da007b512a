"""What is looked up gives back what it has opened, whatever comes in between."""

import contextlib
import errno
import fcntl
import os

import pytest

from openssl_serve.errors import HttpError
from openssl_serve.handlers.folder import Folder, FolderOptions
from openssl_serve.handlers.lookup import Found, Lookup
from openssl_serve.http1.request import Peer, Request

PEER = Peer("127.0.0.1", "127.0.0.1", 443, secure=True)


def asked(target):
    return Request(b"GET", target, [(b"Accept", b"text/html")], PEER)


@pytest.fixture
def root(tmp_path):
    for name in ("index.html", "blog.html", "blog/index.html", "app/index.html"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    return tmp_path


@pytest.mark.parametrize("target", [b"/blog", b"/app", b"/blog/", b"/", b"/none"])
@pytest.mark.parametrize("enough_for", range(4))
@pytest.mark.parametrize("spa", [True, False])
def test_want_of_descriptors_takes_none(root, monkeypatch, target, enough_for, spa):
    lookup = Lookup(Folder(root), FolderOptions(spa=spa))
    really_open, opened = os.open, list[int]()

    def open_some(path, flags):
        if len(opened) == enough_for:
            raise OSError(errno.EMFILE, "too many")
        # Numbers that are given to nobody else.
        fd = really_open(path, flags)
        opened.append(fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 500 + len(opened)))
        os.close(fd)
        return opened[-1]

    monkeypatch.setattr("openssl_serve.handlers.folder.os.open", open_some)
    found = None
    with contextlib.suppress(HttpError):
        found = lookup.find(asked(target))
    left = list(filter(is_open, opened))
    for fd in left:
        os.close(fd)
    assert left == ([found.opened.fd] if isinstance(found, Found) else [])


def is_open(fd):
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True
