"""What other servers of files have leaked, asked of this one over a real socket, byte for byte."""

import os
import socket
import sys
import unicodedata
from dataclasses import replace

import pytest
from server_fixtures import answers, eventually, request

from openssl_serve.handlers.folder import FolderOptions

SECRET = b"this must not be read"

TRAVERSALS = [
    # CVE-2021-23430, CVE-2014-3744, CVE-2018-3712, CVE-2021-41773
    b"/../secret.txt", b"/sub/../../secret.txt", b"/../../../../../../etc/passwd", b"/..",
    b"/sub/..", b"/./../secret.txt", b"/.../secret.txt", b"/..;/secret.txt",
    # Encoded once: CVE-2024-43800, ecstatic
    b"/..%2fsecret.txt", b"/%2e%2e/secret.txt", b"/%2e%2e%2fsecret.txt", b"/.%2e/secret.txt",
    b"/sub/%2E%2E/%2E%2E/secret.txt", b"/%2e%2e", b"/%2e%2e%2f",
    # Encoded twice, or in a form that is no UTF-8: decoded exactly once
    b"/%252e%252e/secret.txt", b"/..%252fsecret.txt", b"/%c0%ae%c0%ae/secret.txt",
    b"/%uff0e%uff0e/secret.txt", b"/..%c0%afsecret.txt",
    # A backslash is a character of a name: CVE-2026-27585, GHSA-g7r4-m6w7-qqqr
    b"/..%5csecret.txt", b"/%5c..%5csecret.txt", b"/sub%5c..%5c..%5csecret.txt",
    # A sibling that begins like the root: CVE-2023-29159
    b"/../root-sibling/secret.txt", b"/..%2froot-sibling/secret.txt", b"/-sibling/secret.txt",
    # An absolute path does not reset the root
    b"//etc/passwd", b"/%2fetc/passwd", b"/%2fetc%2fpasswd", b"///etc/passwd", b"/%2f%2fetc/passwd",
    b"/file:///etc/passwd", b"http://localhost/../secret.txt", b"http://localhost/%2e%2e/secret.txt",
    # Through links
    b"/link.txt", b"/out/secret.txt", b"/out/", b"/out", b"/sub/deep/secret.txt", b"/chain.txt",
    b"/absolute.txt", b"/loop", b"/dangling", b"/out/root/../secret.txt", b"/proc/self/environ",
    # Hidden and secret names, and links to them with harmless ones
    b"/.env", b"/%2eenv", b"/.git/config", b"/.git/", b"/.git", b"/sub/.htpasswd", b"/./.env",
    b"//.env", b"/.env/", b"/.env?raw", b"/env-link.txt", b"/git-link/config", b"/git-link/",
    b"/git-link", b"/server.key", b"/SERVER.KEY", b"/server.pem", b"/backup.p12", b"/key-link.txt",
    b"/key-copy-by-hard-link.txt",
    # A file is no folder
    b"/a.txt/", b"/a.txt/.", b"/a.txt/b", b"/a.txt%2f", b"/a.txt//",
    # Hard files
    b"/fifo", b"/fifo/", b"/zero", b"/socket",
    # NUL
    b"/a.txt%00.html", b"/%00", b"/a.txt%00", b"/%00/../secret.txt",
    # Nonsense
    b"/%", b"/%zz", b"/%f", b"/%ff", b"/%fe%ff", b"/" + b"a" * 300, b"/" + b"a/" * 3000, b"/~root/",
    b"/a.txt%20", b"/a.txt.", b"/a.txt::$DATA", b"/A.TXT%0a", b"/NUL", b"/CON/",
]  # fmt: skip


@pytest.fixture
def tree(root, tmp_path, pair):
    """A root with all that should not come out of it, in it and around it."""
    outside = tmp_path / "secret.txt"
    outside.write_bytes(SECRET)
    (tmp_path / "root-sibling").mkdir()
    (tmp_path / "root-sibling" / "secret.txt").write_bytes(SECRET)
    (root / "sub").mkdir()
    (root / ".git").mkdir()
    for name in (".env", ".git/config", "sub/.htpasswd", "server.key", "SERVER.KEY", "server.pem",
                 "backup.p12"):  # fmt: skip
        (root / name).write_bytes(SECRET)
    for name, target in {
        "link.txt": "../secret.txt",
        "out": "..",
        "sub/deep": "../..",
        "chain.txt": "link.txt",
        "absolute.txt": outside,
        "loop": "loop",
        "dangling": "nowhere",
        "proc": "/proc",
        "env-link.txt": ".env",
        "git-link": ".git",
        "key-link.txt": pair.key_path,
        "zero": "/dev/zero",
    }.items():
        (root / name).symlink_to(target)
    os.link(pair.key_path, root / "key-copy-by-hard-link.txt")
    os.mkfifo(root / "fifo")
    yield root
    (root / "key-copy-by-hard-link.txt").unlink()


@pytest.fixture
def hostile(serve, tree):
    return serve()


@pytest.mark.parametrize("target", TRAVERSALS)
def test_nothing_that_is_not_served_comes_out(hostile, pair, target):
    # Twice, so that what is kept for a second time leaks as little.
    for _ in range(2):
        answer = hostile.get(target)
        assert answer.status in (400, 404)
        assert SECRET not in answer.body
        assert pair.key_path.read_bytes() not in answer.body
    assert hostile.get("/a.txt").status == 200


def test_a_socket_in_the_folder_is_not_found(hostile, tree, monkeypatch):
    monkeypatch.chdir(tree)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind("socket")

        assert hostile.get("/socket").status == 404


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_an_unreadable_file_is_not_found(hostile, tree):
    (tree / "a.txt").chmod(0)

    assert hostile.get("/a.txt").status == 404


def test_forbidden_and_missing_look_the_same(hostile):
    """CVE-2025-69226: a 403 beside a 404 tells which files exist."""

    def seen(target):
        answer = hostile.get(target, b"Accept: text/html")
        return answer.status, answer.body, [f for f in answer.fields if f[0] != b"date"]

    missing = seen("/missing")
    for target in ("/.env", "/server.key", "/link.txt", "/fifo", "/key-link.txt", "/out/", "/zero",
                   "/.git/config", "/../secret.txt", "/env-link.txt"):  # fmt: skip
        assert seen(target) == missing


def test_the_listing_names_only_what_is_served(hostile):
    listing = hostile.get("/", b"Accept: text/plain").text.splitlines()

    assert sorted(listing) == ["a.txt", "sub/"]
    assert hostile.get("/sub/", b"Accept: text/plain").text == ""
    page = hostile.get("/", b"Accept: text/html").text
    for name in ("env", "git", "key", "link", "out", "fifo", "zero", "loop", "dangling", "p12"):
        assert f'href="./{name}' not in page
    assert 'href="./a.txt"' in page


def test_hidden_shows_dotfiles_and_never_the_key_in_use(serve, tree, pair):
    running = serve(folder=FolderOptions(hidden=True))

    assert running.get("/.env").body == SECRET
    assert running.get("/.git/config").body == SECRET
    assert running.get("/server.key").body == SECRET
    assert running.get("/key-link.txt").status == 404
    assert running.get("/key-copy-by-hard-link.txt").status == 404
    assert running.get("/link.txt").status == 404


def test_the_key_in_use_is_not_served_from_its_own_folder(serve, root, pair):
    """Also under a name that looks like nothing, and when asked for as hidden."""
    key, cert = root / "plain-name", root / "certificate"
    key.write_bytes(pair.key_path.read_bytes())
    key.chmod(0o600)
    cert.write_bytes(pair.cert_path.read_bytes())
    running = serve(
        certificate=replace(pair, key_path=key, cert_path=cert), folder=FolderOptions(hidden=True)
    )

    assert running.get("/plain-name").status == 404
    assert "plain-name" not in running.get("/").text
    assert running.get("/certificate").status == 200


def test_well_known_is_there_to_be_asked_for(serve, root):
    (root / ".well-known").mkdir()
    (root / ".well-known" / "security.txt").write_text("Contact: x")

    assert serve().get("/.well-known/security.txt").text == "Contact: x"


@pytest.mark.parametrize(
    ("name", "target"),
    [
        (b"\xff\xfe", b"/%ff%fe"),
        (b"a\\b", b"/a%5Cb"),
        (b"a%2fb", b"/a%252fb"),
        (b"100%", b"/100%25"),
        (b"a?b#c", b"/a%3Fb%23c"),
        (b"a\nb", b"/a%0Ab"),
        (b"javascript:alert(1)", b"/javascript:alert(1)"),
        ("café".encode(), b"/caf%C3%A9"),
        (unicodedata.normalize("NFD", "café").encode(), b"/cafe%CC%81"),
    ],
)
@pytest.mark.skipif(sys.platform == "darwin", reason="APFS takes no name that is not UTF-8")
def test_a_file_is_served_whatever_its_name(server, root, name, target):
    with open(os.path.join(os.fsencode(root), name), "wb") as file:
        file.write(name)

    assert server.get(target).body == name


def test_policy_and_lookup_read_the_same_path(server, root):
    """CVE-2026-39406: `//x` passed the check of `/x`, and was then found as `/x`."""
    (root / "sub").mkdir()
    (root / "sub" / "x.txt").write_text("x")

    for target in ("/sub/x.txt", "//sub//x.txt", "/./sub/./x.txt", "/sub%2fx.txt", "/%73ub/x.txt"):
        assert server.get(target).text == "x"
    for target in ("//.env", "/./.env", "/sub//.env", "/%2Eenv"):
        assert server.get(target).status == 404


def test_a_link_that_is_swapped_later_is_judged_again(server, root, tmp_path):
    """What is kept of a file is of no use once its name leads elsewhere."""
    (tmp_path / "secret.txt").write_bytes(SECRET)
    link = root / "link"
    link.symlink_to("a.txt")
    with server.tls() as client:
        for _ in range(3):
            assert client.get("/link").body == b"content of a\n"
        link.unlink()
        link.symlink_to("../secret.txt")
        assert client.get("/link").status == 404
        link.unlink()
        link.symlink_to("a.txt")
        assert client.get("/link").body == b"content of a\n"


def test_a_file_that_was_kept_is_gone_when_it_is_gone(server, root):
    with server.tls() as client:
        assert client.get("/a.txt").status == 200
        (root / "a.txt").rename(root / ".a.txt")
        assert client.get("/a.txt").status == 404


def test_a_reader_of_a_fifo_is_not_waited_for(hostile):
    """All of them answer at once, though nobody ever writes."""
    received = hostile.tls()
    with received as client:
        client.send(request("/fifo") * 20)
        assert [client.answer().status for _ in range(20)] == [404] * 20
    eventually(lambda: not hostile.server.connections)


@pytest.mark.parametrize(
    "target", [b"/a\r\nX-Injected: 1", b"/\x00", b"/\x1b[31m", b"/a\tb", b"/\x9b"]
)
def test_a_raw_control_byte_in_a_target_is_refused(server, target):
    found = answers(server.plain_exchange(request(target)))

    assert [answer.status for answer in found] in ([400], [301])
    for answer in found:
        assert answer.get(b"x-injected") is None
    assert "\x1b" not in server.log
    assert "\x9b" not in server.log
