"""The pytest plugin as another project has it: installed, found by its entry point, used."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from coverage import CoverageData

pytest_plugins = ["pytester"]

TESTS = '''
import os
import ssl
import subprocess
import urllib.request
from pathlib import Path

import pytest

from openssl_serve import Certificate, LocalCA, PlainHttp, ServerOptions


def get(url, context):
    with urllib.request.urlopen(url, context=context, timeout=10) as response:
        return response.read()


@pytest.fixture(scope="session")
def site(tmp_path_factory, openssl_serve_server):
    """A fixture of the project's own, with a wider scope than a test."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "hello.txt").write_text("hello")
    with openssl_serve_server(folder, "my.test") as server:
        yield server


@pytest.fixture
def hello(tmp_path):
    (tmp_path / "hello.txt").write_text("hello")
    return tmp_path


def test_a_server(site, openssl_serve_client_context):
    assert get(site.url + "hello.txt", openssl_serve_client_context) == b"hello"
    assert site.certificate.facts.names == ("my.test", "localhost", "127.0.0.1", "::1")


def test_its_options(hello, openssl_serve_server):
    options = ServerOptions(plain_http=PlainHttp.SERVE)
    with openssl_serve_server(hello, options=options) as server:
        assert get(server.url.replace("https", "http") + "hello.txt", None) == b"hello"


def test_a_server_behind(hello, openssl_serve_server, openssl_serve_client_context):
    options = ServerOptions(plain_http=PlainHttp.SERVE)
    with (
        openssl_serve_server(str(hello), options=options) as behind,
        openssl_serve_server(behind.url.replace("https", "http")) as server,
    ):
        assert get(server.url + "hello.txt", openssl_serve_client_context) == b"hello"


def test_an_app(openssl_serve_server, openssl_serve_client_context):
    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [environ["wsgi.url_scheme"].encode()]

    with openssl_serve_server(app) as server:
        assert get(server.url, openssl_serve_client_context) == b"https"


def test_the_system_does_not_trust_it(site):
    with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
        get(site.url, ssl.create_default_context())


def test_code_that_takes_no_context(site, openssl_serve_trusted):
    assert get(site.url + "hello.txt", None) == b"hello"
    variables = os.environ.copy()
    assert openssl_serve_trusted.items() <= variables.items()
    command = ["curl", "-sS", site.url + "hello.txt"]
    assert subprocess.run(command, capture_output=True, timeout=20).stdout == b"hello"


def test_the_variables_are_gone(site):
    with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
        get(site.url, None)


def test_a_certificate(openssl_serve_certificate, openssl_serve_ca):
    certificate = openssl_serve_certificate("api.test", "*.api.test")
    assert isinstance(certificate, Certificate)
    assert certificate.facts.names == ("api.test", "*.api.test")
    assert certificate.ca_path == openssl_serve_ca.cert_path


def test_a_ca(openssl_serve_ca, tmp_path_factory):
    assert isinstance(openssl_serve_ca, LocalCA)
    assert tmp_path_factory.getbasetemp().parent in openssl_serve_ca.cert_path.parents


@pytest.mark.parametrize("number", range(4))
def test_who_is_who(number, openssl_serve_ca, openssl_serve_certificate, request):
    leaf = openssl_serve_certificate("same.test")
    worker = getattr(request.config, "workerinput", {}).get("workerid", "alone")
    with open(request.config.rootpath / "seen.log", "a") as file:
        print(worker, openssl_serve_ca.facts.fingerprint, leaf.facts.fingerprint, file=file)
'''

COUNT = 13


@pytest.fixture
def project(pytester, monkeypatch):
    """A project with tests that use every fixture."""
    # The suite around this one may run under xdist itself.
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    pytester.makepyfile(TESTS)
    return pytester


def run(project, *options):
    return project.runpytest_subprocess("-W", "error", "-p", "no:cacheprovider", *options)


def seen(project):
    """Each line that a test wrote: who it was, its CA, its leaf; then there are none."""
    log = project.path / "seen.log"
    lines = [line.split() for line in log.read_text().splitlines()]
    log.unlink()
    return [set(column) for column in zip(*lines, strict=True)]


def test_every_fixture_does_what_it_says_alone_and_under_xdist(project, home):
    """With warnings as errors; each run has one CA, whoever in it asks."""
    run(project).assert_outcomes(passed=COUNT)
    alone = seen(project)
    # Each worker runs all of them, at the same time.
    run(project, "-n", "2", "--dist", "each").assert_outcomes(passed=2 * COUNT)
    shared = seen(project)

    assert [alone[0], shared[0]] == [{"alone"}, {"gw0", "gw1"}]
    assert all(len(made) == 1 for made in (*alone[1:], *shared[1:]))
    assert alone[1] != shared[1]
    assert not home.exists()


def test_a_machine_without_openssl_is_told_what_to_do(pytester, monkeypatch):
    monkeypatch.setenv("OPENSSL_SERVE_OPENSSL", "/nowhere/openssl")
    pytester.makepyfile("def test_it(openssl_serve_ca): pass")

    result = pytester.runpytest_inprocess()

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["E*OpensslNotFoundError: /nowhere/openssl does not exist*"])


def test_its_fixtures_are_documented(pytester):
    result = pytester.runpytest_inprocess("--fixtures")

    for name in ("ca", "certificate", "client_context", "server"):
        result.stdout.fnmatch_lines([f"openssl_serve_{name} *session scope*", "    [AM]*."])
    result.stdout.fnmatch_lines(["openssl_serve_trusted -- *", "    Environment variables*"])


def test_it_can_be_left_out(pytester):
    pytester.makepyfile("def test_it(openssl_serve_ca): pass")

    result = pytester.runpytest_inprocess("-p", "no:openssl_serve")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*fixture 'openssl_serve_ca' not found*"])


def test_a_project_that_does_not_use_it_imports_nothing_for_it(pytester):
    """And what is imported, before anybody's coverage could begin, is not more than that."""
    pytester.makepyfile(
        """
        import sys

        def test_what_is_there():
            ours = {name for name in sys.modules if name.startswith("openssl_serve")}
            assert ours == {"openssl_serve", "openssl_serve.pytest_plugin"}
            assert not {"sh", "httptools", "typer", "rich"} & set(sys.modules)
        """
    )

    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_coverage_sees_all_of_it(tmp_path):
    """Our own suite is measured so: coverage begins before pytest imports the plugin."""
    test = tmp_path / "test_it.py"
    test.write_text("def test_it(openssl_serve_certificate): openssl_serve_certificate()\n")
    package = Path(__file__).parent.parent.parent / "openssl_serve"
    command = [
        *(sys.executable, "-m", "coverage", "run", "--data-file", str(tmp_path / "data")),
        *("--rcfile", os.devnull, "--include", f"{package}/*"),
        *("-m", "pytest", "-W", "error", "-p", "no:cacheprovider", "-p", "no:hypothesispytest"),
        *("--rootdir", ".", str(test)),
    ]

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    data = CoverageData(str(tmp_path / "data"))
    data.read()
    for name, start in (("pytest_plugin.py", "FOLDER = "), ("__init__.py", "__version__ = ")):
        path = package / name
        lines = path.read_text().splitlines()
        (number,) = (n for n, line in enumerate(lines, 1) if line.startswith(start))
        assert number in (data.lines(str(path)) or ())
