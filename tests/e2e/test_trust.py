"""`trust` in the judgement of those it is for: Chromium, Firefox, and programs of the system."""

import os
import re
import shutil
import ssl
import subprocess
import time
from pathlib import Path

import pytest
from processes import NOBODY
from server_fixtures import eventually

from e2e import chromium, firefox
from e2e.clients import curl
from e2e.command import DEADLINE_S, INSTALLED, Command

browser = pytest.mark.browser
needs_certutil = pytest.mark.skipif(
    not shutil.which("certutil"), reason="no certutil (apt install libnss3-tools)"
)
needs_firefox = pytest.mark.skipif(
    not firefox.PROGRAM, reason="no firefox in PATH (apt install firefox-esr)"
)

# What only a secure context has; Chromium offers no service worker after a certificate error.
SECURE = """(async () => {
    const registration = await navigator.serviceWorker.register("worker.js");
    await navigator.serviceWorker.ready;
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode("abc"));
    const hex = [...new Uint8Array(digest)].map(b => b.toString(16).padStart(2, "0")).join("");
    return [isSecureContext, registration.scope, hex];
})()"""

# FIPS 180-2, appendix B.1.
ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.fixture
def home(command: Command) -> Path:
    """The home of a user with a page that wants a service worker."""
    (command.site / "index.html").write_text("<!doctype html><title>A page</title><p>hello")
    (command.site / "worker.js").write_text("addEventListener('fetch', () => {});\n")
    return Path(command.environment["HOME"])


def serves_the_kept_one(command: Command, port: int) -> bool:
    """Whether the server has noticed that its file is another; it looks once a second."""
    served = ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(("127.0.0.1", port)))
    kept = command.cert.read_text().partition("-----END")[0]
    return ssl.PEM_cert_to_DER_cert(f"{kept}-----END CERTIFICATE-----\n") == served


def trust(command: Command, *words: str) -> None:
    finished = command.run(*words, "--store", "nss")
    assert finished.code == 0, finished.stderr


@browser
@needs_certutil
@chromium.WANTED
@pytest.mark.parametrize(
    ("place", "words"), [(".pki/nssdb", ()), (".local/share/pki/nssdb", ("--constrain",))]
)
def test_chromium_warns_until_it_is_trusted_and_after_it_no_longer_is(
    command: Command, home: Path, place: str, words: tuple[str, ...]
) -> None:
    """In a home where no browser was, and in one where this one has made its own database."""
    profiles = iter(range(9))

    def load(url: str) -> str | None:
        """Why Chromium does not show the page; None when it does, and all in it works."""
        # A profile for each: none remembers what it saw before.
        with chromium.tab(command.folder / f"profile{next(profiles)}", home) as tab:
            error = tab.call("Page.navigate", url=url).get("errorText")
            if error:
                return str(error)
            tab.open(url)
            assert tab.js(SECURE) == [True, url, ABC]
            return None

    with command.start("--cert-host", "my.dev.local") as running:
        url = f"https://localhost:{running.port}/"
        if place != ".pki/nssdb":
            assert load(url) == "net::ERR_CERT_AUTHORITY_INVALID"
            if not (home / place / "cert9.db").exists():
                pytest.skip("this Chromium still has the old place")

        trust(command, "trust", *words)

        # The server has run all the while; what it serves is issued by the CA now.
        eventually(lambda: serves_the_kept_one(command, running.port), timeout_s=10)
        assert (home / place / "cert9.db").exists()
        assert not (home / ".pki").exists() or place == ".pki/nssdb"
        assert load(url) is None
        trust(command, "untrust")
        assert load(url) == "net::ERR_CERT_AUTHORITY_INVALID"


@browser
@needs_certutil
@needs_firefox
# Three starts of a browser that takes 3 s on a machine which does nothing else.
@pytest.mark.timeout(150)
def test_firefox_warns_until_it_is_trusted_and_after_it_no_longer_is(
    command: Command, home: Path
) -> None:
    profile = firefox.make_profile(home)

    with command.start("--cert-host", "my.dev.local") as running:
        url = f"https://localhost:{running.port}/"
        with firefox.window(home) as window, pytest.raises(firefox.FirefoxError) as caught:
            window.open(url)
        assert caught.value.args[0] == "insecure certificate"
        # Its first start has made the database.
        assert (profile / "cert9.db").exists()

        trust(command, "trust", "--constrain")

        eventually(lambda: serves_the_kept_one(command, running.port), timeout_s=10)
        with firefox.window(home) as window:
            window.open(url)
            assert window.js("document.title") == "A page"
            assert window.js(SECURE) == [True, url, ABC]
        trust(command, "untrust")
        with firefox.window(home) as window, pytest.raises(firefox.FirefoxError) as caught:
            window.open(url)
        assert caught.value.args[0] == "insecure certificate"


@needs_certutil
def test_a_server_that_runs_and_one_that_starts_use_what_the_ca_has_issued(
    command: Command, home: Path
) -> None:
    (home / ".pki/nssdb").mkdir(parents=True)
    database = f"sql:{home / '.pki/nssdb'}"
    subprocess.run(["certutil", "-N", "--empty-password", "-d", database], check=True)
    ca = command.data / "_local_ca.crt"

    with command.start("--cert-host", "my.dev.local") as running:
        url = f"https://localhost:{running.port}/hello.txt"
        assert curl(url, "--cacert", str(command.cert)).body == "hello\n"
        trust(command, "trust")
        deadline = time.monotonic() + DEADLINE_S
        # It looks at its files once a second, when somebody comes.
        while True:
            try:
                assert curl(url, "--cacert", str(ca)).body == "hello\n"
                break
            except AssertionError:
                assert time.monotonic() < deadline
    with command.start("--cert-host", "other.dev.local") as running:
        url = f"https://localhost:{running.port}/hello.txt"
        assert curl(url, "--cacert", str(ca)).body == "hello\n"
        # The browser trusts it: only the system does not.
        assert "browsers will warn" not in running.banner
        assert re.search("untrusted +this system refuses it .*trust --check", running.banner)


FOLDERS = ("/usr/local/share/ca-certificates", "/etc/ssl/certs")


class Machine:
    """A mount namespace: Debian's folders of certificates are its own, everything else is not."""

    def __init__(self, command: Command) -> None:
        self._command = command
        # A few of Debian's CAs do, and a hundred take seconds.
        few = Path("/etc/ca-certificates.conf").read_text().splitlines()[:15]
        places = {"/etc/ca-certificates.conf": command.folder / "conf"}
        places["/etc/ca-certificates.conf"].write_text("\n".join(few) + "\n")
        # Without its hooks: Java's writes into dpkg's own folders.
        for place in (*FOLDERS, "/etc/ca-certificates/update.d"):
            places[place] = command.folder / place.replace("/", "_")
            places[place].mkdir()
            os.chown(places[place], NOBODY, NOBODY)
        mounts = [f"mount --bind {ours} {place}" for place, ours in places.items()]
        self._mount = "; ".join(mounts)

    def sh(self, script: str, *, rights: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a script in there; what it does to these folders stays.

        Without *rights* it is root by name alone: the folders belong to another, and are closed.
        """
        become = "exec" if rights else "exec setpriv --bounding-set -all"
        inside = f'{self._mount}; {become} sh -c "$1"'
        return subprocess.run(
            ["unshare", "-m", "sh", "-e", "-c", inside, "sh", script],
            env=self._command.environment, capture_output=True, text=True, timeout=40, check=False,
        )  # fmt: skip


@pytest.fixture
def machine(command: Command) -> Machine:
    if not (Path(FOLDERS[0]).is_dir() and shutil.which("update-ca-certificates")):
        pytest.skip("no update-ca-certificates")
    found = Machine(command)
    done = found.sh("true")
    if done.returncode:
        pytest.skip(f"no mount namespaces here: {done.stderr}")
    assert found.sh("update-ca-certificates").returncode == 0
    return found


def test_programs_of_the_system_trust_it_by_what_an_administrator_pastes(
    command: Command, machine: Machine
) -> None:
    """As a user without rights, whose commands another then runs as root."""
    before = [sorted(os.listdir(folder)) for folder in FOLDERS]

    def ours(words: str) -> subprocess.CompletedProcess[str]:
        return machine.sh(f"{INSTALLED} {words} --store system", rights=False)

    def pasted(text: str) -> str:
        found = re.findall(r"^  (?:sudo )?((?!openssl-serve|\|).*)$", text, re.MULTILINE)
        return "set -e\n" + "\n".join(found)

    def fetch(port: int) -> int:
        url = f"https://localhost:{port}/hello.txt"
        return machine.sh(f"curl -sS --noproxy '*' --max-time 20 {url}").returncode

    refused = ours("trust")
    assert refused.returncode == 5, refused.stderr
    assert "is not writable" in refused.stderr
    assert "error: the local CA is not trusted by 1 of 1 trust stores: Debian" in refused.stderr
    with command.start() as running:
        port = running.port
        cannot_verify = 60
        assert fetch(port) == cannot_verify

        done = machine.sh(pasted(refused.stderr))

        assert done.returncode == 0, done.stderr
        assert ours("trust --check").returncode == 0
        assert fetch(port) == 0
        left = ours("untrust")
        assert left.returncode == 5
        assert machine.sh(pasted(left.stderr)).returncode == 0
        assert ours("untrust").returncode == 0
        assert fetch(port) == cannot_verify
    # And the machine itself has seen nothing of it.
    assert [sorted(os.listdir(folder)) for folder in FOLDERS] == before
