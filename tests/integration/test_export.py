"""Every form, read by the program that it is for."""

import base64
import http.client
import json
import os
import plistlib
import re
import select
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager, suppress
from copy import deepcopy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from certificates import KEY, assert_self_signed, load, make, openssl, write
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12
from kubernetes_validate import SchemaNotFoundError, ValidationError
from kubernetes_validate.utils import all_versions
from stubs import calls, libressl

EVERY = [
    "pem", "der", "combined", "pkcs12", "pfx-legacy", "p7b", "mobileconfig", "k8s-secret",
    "cert-manager", "nginx", "haproxy", "caddy", "traefik", "apache",
]  # fmt: skip
SECRET = {"combined", "pkcs12", "pfx-legacy", "k8s-secret", "cert-manager"}


@pytest.fixture
def exported(cli, home, tmp_path, monkeypatch):
    """The file that a form makes."""
    cli.good("generate", "--ca", "a.test")
    monkeypatch.setenv("OPENSSL_SERVE_EXPORT_PASSWORD", "päss word")

    def make(form, *words):
        path = tmp_path / f"out.{form}"
        assert (
            cli.good("export", "a.test", "--format", form, "--out", path, *words).out == f"{path}\n"
        )
        return path

    return make


@pytest.mark.parametrize("form", EVERY)
def test_what_holds_a_key_is_private(exported, form, open_umask):
    path = exported(form)

    assert path.stat().st_mode & 0o777 == (0o600 if form in SECRET else 0o644)
    assert (b"PRIVATE KEY" in path.read_bytes()) is (form == "combined")
    assert path.stat().st_size


def test_pem_and_der(exported, home):
    assert exported("pem").read_bytes() == (home / "a_test.crt").read_bytes()
    found = x509.load_der_x509_certificate(exported("der").read_bytes())
    assert found == load(home / "a_test.crt")


def test_combined_is_one_file_for_haproxy_and_python(exported):
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(exported("combined"))


@pytest.mark.parametrize("form", ["pkcs12", "pfx-legacy"])
@pytest.mark.parametrize("tool", [None, libressl])
def test_pkcs12(exported, home, tmp_path, form, tool):
    words = ["--openssl", tool(tmp_path / "bin")] if tool else []

    path = exported(form, *words)

    bundle = pkcs12.load_pkcs12(path.read_bytes(), "päss word".encode())
    assert bundle.key
    assert bundle.cert
    assert bundle.cert.certificate == load(home / "a_test.crt")
    assert bundle.cert.friendly_name == b"a.test"
    assert bundle.key.public_key() == load(home / "a_test.crt").public_key()
    assert [extra.certificate for extra in bundle.additional_certs] == [
        load(home / "_local_ca.crt")
    ]
    (tmp_path / "pw").write_text("päss word")
    info = subprocess.run(
        ["openssl", "pkcs12", "-info", "-noout", "-in", path, "-passin", f"file:{tmp_path}/pw",
         *(["-legacy"] if form == "pfx-legacy" else [])],
        capture_output=True, text=True, check=False,
    ).stderr  # fmt: skip
    assert ("sha1" in info.lower()) is (form == "pfx-legacy")
    assert ("TripleDES" in info) is (form == "pfx-legacy")


def test_the_password_is_on_no_command_line_and_stays_nowhere(exported, tmp_path, monkeypatch):
    tool = libressl(tmp_path / "bin")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()

    exported("pkcs12", "--openssl", tool)

    assert "päss" not in "\n".join(calls(tool))
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize(
    ("password", "words"),
    [
        ("", "is empty"),
        ("\n", "is empty"),
        ("a\nb", "more than one line"),
        ("ä" * 600, "1200 bytes"),
    ],
)
def test_a_password_that_others_would_read_otherwise(cli, exported, tmp_path, password, words):
    """openssl takes the first line of a file, and 1023 bytes of that."""
    (tmp_path / "pw").write_text(password)
    asked = ("export", "a.test", "--format", "pkcs12", "--out", tmp_path / "x")

    assert words in cli.refused(2, *asked, "--password-file", tmp_path / "pw")
    assert not (tmp_path / "x").exists()


def test_an_empty_password_in_the_environment(cli, exported, monkeypatch):
    monkeypatch.setenv("OPENSSL_SERVE_EXPORT_PASSWORD", "")

    assert "$OPENSSL_SERVE_EXPORT_PASSWORD is empty" in cli.refused(
        2, "export", "a.test", "--format", "pkcs12"
    )


SOMEBODY_ELSES: dict[str, list[x509.GeneralName]] = {
    "nothing": [],
    "mail": [x509.RFC822Name("a@b.test")],
    "odd": [x509.DNSName(name) for name in ("*.localhost", "x`) || Path(`/", "a b", "A.Test.")],
}


@pytest.mark.parametrize("form", EVERY)
@pytest.mark.parametrize("names", SOMEBODY_ELSES)
def test_somebody_elses_certificate(cli, home, tmp_path, monkeypatch, names, form):
    """Kept in the data folder by hand. What it says of itself is in no configuration."""
    san = [x509.SubjectAlternativeName(SOMEBODY_ELSES[names])] if SOMEBODY_ELSES[names] else []
    write(home / "a_test.crt", make(*san, names=()))
    write(home / "a_test.key", KEY)
    monkeypatch.setenv("OPENSSL_SERVE_EXPORT_PASSWORD", "x")

    finished = cli("export", "a.test", "--format", form, "--out", tmp_path / "out")

    if form == "cert-manager":
        assert finished.code == 4
    elif form in {"nginx", "caddy", "traefik", "apache"} and names != "odd":
        assert finished.errors == [f"{home}/a_test.crt names no host, and a web server needs one"]
    else:
        assert finished.code == 0, finished.err
        if form in {"nginx", "caddy", "traefik", "apache"}:
            text = (tmp_path / "out").read_text()
            assert "a.test" in text
            assert "localhost" in text
            assert "a b" not in text
            assert "Path(`/" not in text


def test_the_password_from_a_file_or_refused(cli, exported, tmp_path, monkeypatch):
    (tmp_path / "pw").write_text("from file\n")
    path = exported("pkcs12", "--password-file", tmp_path / "pw")
    pkcs12.load_pkcs12(path.read_bytes(), b"from file")

    monkeypatch.delenv("OPENSSL_SERVE_EXPORT_PASSWORD")
    error = cli.refused(2, "export", "a.test", "--format", "pkcs12", "--out", tmp_path / "y")
    assert "needs a password" in error
    error = cli.refused(2, "export", "a.test", "--format", "pkcs12", "--password-file", "/nowhere")
    assert "--password-file /nowhere: no such file" in error


def test_p7b(exported, home):
    path = exported("p7b")

    found = openssl("pkcs7", "-in", path, "-print_certs")
    certificates = x509.load_pem_x509_certificates(found.encode())
    assert certificates == [load(home / "a_test.crt"), load(home / "_local_ca.crt")]


def test_mobileconfig_carries_what_has_to_be_trusted(exported, home):
    profile = plistlib.loads(exported("mobileconfig").read_bytes())

    assert profile["PayloadType"] == "Configuration"
    (payload,) = profile["PayloadContent"]
    assert payload["PayloadType"] == "com.apple.security.root"
    assert x509.load_der_x509_certificate(payload["PayloadContent"]) == load(home / "_local_ca.crt")
    assert profile["PayloadUUID"] != payload["PayloadUUID"]
    # Installed again, it replaces itself.
    assert plistlib.loads(exported("mobileconfig", "--force").read_bytes()) == profile


def test_a_leaf_without_its_ca_is_no_profile(cli, exported, home, tmp_path):
    """Trusting the leaf would help no client."""
    for path in home.glob("_local_ca.*"):
        path.unlink()

    error = cli.refused(4, "export", "a.test", "--format", "mobileconfig", "--out", tmp_path / "y")

    assert "a_test.crt: its issuer is not kept here" in error


def documents(path):
    return list(yaml.safe_load_all(path.read_text()))


def changed(manifest, value, *path):
    """*manifest* with *value* at *path*, or without that field when *value* is None."""
    copy = deepcopy(manifest)
    *parents, name = path
    inner = copy
    for parent in parents:
        inner = inner[parent]
    inner[name] = value
    if value is None:
        del inner[name]
    return copy


def fields(manifest, path=()):
    """The path of every field, those with fields of their own included."""
    for name, value in manifest.items():
        yield (*path, name)
        if isinstance(value, dict):
            yield from fields(value, (*path, name))


def check_secret(manifest):
    """Raise, unless the Secret is as every release publishes it, without a field more."""
    for version in sorted(set(all_versions())):
        kubernetes_validate.validate(manifest, version, strict=True)


class TestSecretsByTheSchemaOfKubernetes:
    @pytest.mark.parametrize("form", ["k8s-secret", "cert-manager"])
    def test_ours(self, exported, form):
        secret = documents(exported(form))[0]

        assert (secret["apiVersion"], secret["kind"]) == ("v1", "Secret")
        check_secret(secret)
        # What this type has to have besides, which no schema says, and "format": "byte".
        assert secret["type"] == "kubernetes.io/tls"
        assert {"tls.crt", "tls.key"} <= set(secret["data"])
        for value in secret["data"].values():
            assert base64.b64decode(value, validate=True).startswith(b"-----BEGIN ")

    @pytest.mark.parametrize(
        ("value", "path", "part"),
        [
            ("Secrets", ["kind"], "find schema for kind Secrets"),
            ("ConfigMap", ["kind"], "'type' was unexpected"),
            ("v2", ["apiVersion"], "api version v2"),
            ("x", ["namespace"], "'namespace' was unexpected"),
            ("x", ["metadata", "title"], "'title' was unexpected"),
            (7, ["metadata", "name"], "7 is not of type 'string'"),
            ("x", ["data"], "'x' is not of type 'object'"),
            (7, ["data", "tls.crt"], "7 is not of type 'string'"),
        ],
    )
    def test_a_wrong_one_is_refused(self, exported, value, path, part):
        (secret,) = documents(exported("k8s-secret"))

        with pytest.raises((ValidationError, SchemaNotFoundError)) as refused:
            check_secret(changed(secret, value, *path))

        assert part in refused.value.message

    @pytest.mark.parametrize(
        ("host", "name"),
        [
            ("a.test", "a.test-tls"),
            ("*.b.test", "wildcard.b.test-tls"),
            ("192.0.2.1", "192.0.2.1-tls"),
            ("_a.b.test", "a.b.test-tls"),
            ("a._b.test", "a.b.test-tls"),
            ("a_.b.test", "a.b.test-tls"),
            ("*._.test", "wildcard.test-tls"),
        ],
    )
    def test_the_name_is_one_that_kubernetes_takes(self, cli, home, tmp_path, host, name):
        """A "DNS subdomain name" of its documentation, which the schema only calls a string."""
        cli.good("generate", host)
        cli.good("export", host, "--format", "k8s-secret", "--out", tmp_path / "secret")

        (secret,) = documents(tmp_path / "secret")
        assert secret["metadata"]["name"] == name
        assert re.fullmatch(
            r"([a-z0-9]([-a-z0-9]*[a-z0-9])?\.)*[a-z0-9]([-a-z0-9]*[a-z0-9])?", name
        )

    @pytest.mark.skipif(not shutil.which("kubectl"), reason="no kubectl here")
    def test_as_kubectl_makes_it(self, exported, home):
        (ours,) = documents(exported("k8s-secret"))

        theirs = subprocess.run(
            ["kubectl", "create", "secret", "tls", "a.test-tls", f"--cert={home}/a_test.crt",
             f"--key={home}/a_test.key", "--dry-run=client", "-o", "yaml"],
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        expected = yaml.safe_load(theirs)
        expected["metadata"].pop("creationTimestamp", None)
        ca = base64.b64decode(ours["data"].pop("ca.crt"))
        assert ca == (home / "_local_ca.crt").read_bytes()
        assert ours == expected


BENCH = Path(__file__).parents[2] / ".bench"
CLUSTER_ISSUERS = """
import { readFileSync } from "node:fs";
import { ClusterIssuer } from "@kubernetes-models/cert-manager/cert-manager.io/v1";

function refusal(manifest) {
    try {
        new ClusterIssuer(manifest).validate();
        return "";
    } catch (error) {
        return error.message;
    }
}

console.log(JSON.stringify(JSON.parse(readFileSync(0)).map(refusal)));
"""


class TestIssuersByTheSchemaOfCertManager:
    """Its custom resource definitions, as npm's @kubernetes-models/cert-manager has them."""

    @pytest.fixture
    def refusals(self):
        """What the schema says against each manifest, or nothing."""
        if not shutil.which("node"):
            pytest.skip("no node here")
        if not (BENCH / "node_modules/@kubernetes-models/cert-manager").is_dir():
            pytest.skip("no @kubernetes-models/cert-manager in .bench, where .ci/run installs it")

        def check(*manifests):
            answer = subprocess.run(
                ["node", "--input-type=module", "--eval", CLUSTER_ISSUERS],
                cwd=BENCH, input=json.dumps(manifests), capture_output=True, text=True, check=True,
            ).stdout  # fmt: skip
            found = json.loads(answer)
            assert len(found) == len(manifests)
            return found

        return check

    @pytest.fixture
    def unknown(self, refusals):
        """The fields that the schema does not know: it is open, so takes anything for them."""

        def find(manifest):
            paths = list(fields(manifest))
            answers = refusals(*(changed(manifest, 7, *path) for path in paths))
            return [path for path, answer in zip(paths, answers, strict=True) if not answer]

        return find

    def test_ours(self, exported, refusals, unknown):
        _, issuer = documents(exported("cert-manager"))

        # The library adds these two where they are missing.
        assert (issuer["apiVersion"], issuer["kind"]) == ("cert-manager.io/v1", "ClusterIssuer")
        assert refusals(issuer) == [""]
        assert unknown(issuer) == []

    @pytest.mark.parametrize(
        ("value", "path", "refusal"),
        [
            ("Issuer", ["kind"], "data/kind must be equal to one of the allowed values"),
            ("cert-manager.io/v2", ["apiVersion"], "data/apiVersion must be equal to one of"),
            (None, ["spec"], "data must have required property spec"),
            (None, ["spec", "ca", "secretName"], "data/spec/ca must have required property"),
            (["x"], ["spec", "ca", "secretName"], "data/spec/ca/secretName must be string"),
            ("x", ["spec", "ca"], "data/spec/ca must be object"),
            (7, ["metadata", "name"], "data/metadata/name must be string"),
        ],
    )
    def test_a_wrong_one_is_refused(self, exported, refusals, value, path, refusal):
        _, issuer = documents(exported("cert-manager"))

        (found,) = refusals(changed(issuer, value, *path))

        assert found.startswith(refusal)

    def test_a_field_that_it_does_not_have_is_found(self, exported, unknown):
        _, issuer = documents(exported("cert-manager"))

        assert unknown(changed(issuer, {"secretName": "x"}, "spec", "authority")) == [
            ("spec", "authority"),
            ("spec", "authority", "secretName"),
        ]


def test_cert_manager_gets_the_ca_itself(cli, exported, home):
    secret, issuer = documents(exported("cert-manager"))

    assert base64.b64decode(secret["data"]["tls.crt"]) == (home / "_local_ca.crt").read_bytes()
    assert base64.b64decode(secret["data"]["tls.key"]) == (home / "_local_ca.key").read_bytes()
    assert secret["metadata"]["namespace"] == "cert-manager"
    assert issuer["kind"] == "ClusterIssuer"
    assert issuer["spec"]["ca"]["secretName"] == secret["metadata"]["name"]
    cli.good("generate", "b.test", "--self-signed")
    error = cli.refused(4, "export", "b.test", "--format", "cert-manager")
    assert "issued by no local CA" in error


class Application(BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"{self.headers['Host']} {self.headers.get('X-Forwarded-Proto')}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments):
        pass


@pytest.fixture
def application():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Application)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [found.getsockname()[1] for found in sockets]
    for found in sockets:
        found.close()
    return ports


def answers(port, ca):
    """Whether it serves already; traefik accepts connections before it has read its file."""
    context = ssl.create_default_context(cafile=ca)
    client = http.client.HTTPSConnection("localhost", port, timeout=10, context=context)
    with closing(client), suppress(OSError):
        client.request("GET", "/")
        return client.getresponse().status == 200
    return False


@contextmanager
def running(command, port, ca, **options):
    """A server in the foreground, once it answers."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    output = process.stdout
    assert output
    try:
        deadline = time.monotonic() + 20
        while not answers(port, ca):
            assert process.poll() is None, output.read().decode()
            assert time.monotonic() < deadline
            select.select([output], [], [], 0.02)
        yield
    finally:
        process.terminate()
        process.communicate(timeout=20)


def nginx(config, tmp_path):
    wrapper = tmp_path / "nginx.conf"
    temporary = "".join(
        f"{kind}_temp_path {tmp_path}/{kind}; "
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    wrapper.write_text(
        f"daemon off; pid {tmp_path}/pid; error_log stderr; events {{}}\n"
        f"http {{ access_log off; {temporary} include {config}; }}\n"
    )
    return ["nginx", "-p", tmp_path, "-c", wrapper]


def haproxy(config, tmp_path):
    return ["haproxy", "-db", "-f", config]


def caddy(config, tmp_path):
    return ["caddy", "run", "--adapter", "caddyfile", "--config", config]


def apache2(config, tmp_path):
    modules = "/usr/lib/apache2/modules"
    wanted = [
        "mpm_event", "authz_core", "ssl", "socache_shmcb", "headers", "rewrite", "proxy",
        "proxy_http",
    ]  # fmt: skip
    ports = re.findall(r"VirtualHost \*:(\d+)", config.read_text())
    wrapper = tmp_path / "apache2.conf"
    wrapper.write_text(
        "\n".join(
            [
                f'ServerRoot "{tmp_path}"',
                f'PidFile "{tmp_path}/pid"',
                f'ErrorLog "{tmp_path}/error.log"',
                *(f"LoadModule {name}_module {modules}/mod_{name}.so" for name in wanted),
                *(f"Listen {port}" for port in ports),
                f'Include "{config}"\n',
            ]
        )
    )
    return ["apache2", "-f", wrapper, "-DFOREGROUND"]


def traefik(config, tmp_path):
    # What is static stands in the file as a comment: the entry points by name.
    found = re.findall(r'entryPoints\.(\w+)\.address: "(:\d+)"', config.read_text())
    points = [f"--entryPoints.{name}.address=127.0.0.1{port}" for name, port in found]
    assert len(points) == 2
    return [
        "traefik", *points, f"--providers.file.filename={config}",
        "--global.checkNewVersion=false", "--global.sendAnonymousUsage=false",
    ]  # fmt: skip


# Beside Python, where pip puts it, and where Debian has its servers.
PROGRAMS = f"{os.environ['PATH']}:{Path(sys.executable).parent}:/usr/sbin:/sbin"


@pytest.mark.parametrize("server", [nginx, haproxy, caddy, apache2, traefik])
@pytest.mark.parametrize("home_name", ["home", "my home"])
def test_the_server_starts_with_it_and_serves(
    cli, tmp_path, monkeypatch, application, server, home_name
):
    """A real server, curled by the host, trusting the CA alone."""
    name = server.__name__
    form = name.removesuffix("2")
    if not shutil.which(name, path=PROGRAMS):
        pytest.skip(f"no {name} here")
    home = tmp_path / home_name
    monkeypatch.setenv("OPENSSL_SERVE_HOME", str(home))
    monkeypatch.setenv("PATH", PROGRAMS)
    cli.good("generate", "--ca", "a.test", "*.b.test")
    port, http_port = free_ports(2)
    config = tmp_path / f"{name}.{'yml' if server is traefik else 'cfg'}"
    cli.good(
        "export", "a.test", "--format", form, "--upstream", application, "--port", port,
        "--http-port", http_port, "--out", config,
    )  # fmt: skip
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}

    with running(server(config, tmp_path), port, home / "_local_ca.crt", env=environment):
        for host in ("a.test", "x.b.test", "localhost"):
            answer = subprocess.run(
                ["curl", "-sS", "--cacert", home / "_local_ca.crt", "--noproxy", "*",
                 "--resolve", f"{host}:{port}:127.0.0.1", f"https://{host}:{port}/"],
                capture_output=True, text=True, check=True,
            ).stdout  # fmt: skip
            assert answer == f"{host}:{port} https"
        client = http.client.HTTPConnection("127.0.0.1", http_port, timeout=10)
        client.request("GET", "/a?b=c", headers={"Host": f"a.test:{http_port}"})
        response = client.getresponse()
        client.close()

    # traefik knows a 302, or a 301 that is kept for ever.
    assert response.status == (302 if server is traefik else 308)
    assert response.headers["Location"] == f"https://a.test:{port}/a?b=c"


def test_caddy_does_not_have_the_machine_trust_a_ca_of_its_own(exported):
    # As root it did, in 2.6, at every start: one more in /usr/local/share/ca-certificates.
    assert "\tskip_install_trust\n" in exported("caddy").read_text()


@pytest.mark.parametrize("form", ["nginx", "caddy", "traefik", "apache"])
def test_it_names_the_files_and_hosts(exported, home, form):
    text = exported(form).read_text()

    assert f"{home}/a_test.crt" in text
    assert f"{home}/a_test.key" in text
    assert "a.test" in text


def test_a_wildcard_for_traefik(cli, home):
    cli.good("generate", "*.b-c.test")

    rule = yaml.safe_load(cli.good("export", "*.b-c.test", "--format", "traefik").out)
    rule = rule["http"]["routers"]["secure"]["rule"].split(" || ")

    assert rule[1:] == ["Host(`localhost`)", "Host(`127.0.0.1`)", "Host(`::1`)"]
    found = re.fullmatch(r"HostRegexp\(`(.+)`\)", rule[0])
    assert found
    assert re.search(found[1], "x.b-c.test")
    assert not re.search(found[1], "x.y.b-c.test")
    assert not re.search(found[1], "x.b-cxtest")


class TestRefusals:
    @pytest.mark.parametrize(
        ("words", "code", "part"),
        [
            (["a.test", "--format", "zip"], 2, '"zip" is not one of pem'),
            (["b.test"], 4, "no certificate is kept for b.test"),
            (["a.test", "--format", "nginx", "--upstream", "x"], 2, "--upstream"),
            (["a.test", "--format", "nginx", "--upstream", "a;b:1"], 2, "--upstream"),
            (["a.test", "--format", "nginx", "--upstream", "a.test:0"], 2, "port 0"),
            (["a.test", "--format", "nginx", "--port", "0"], 2, "0"),
            (["a.test", "--out", "/nowhere/x"], 2, "/nowhere/x: there is no folder /nowhere"),
        ],
    )
    def test_each_in_one_line(self, cli, home, words, code, part):
        cli.good("generate", "a.test")

        assert part in cli.refused(code, "export", *words)

    def test_nothing_is_overwritten_unless_told(self, cli, exported, tmp_path):
        path = exported("pem")

        assert "exists already" in cli.refused(2, "export", "a.test", "--out", path)
        cli.good("export", "a.test", "--out", path, "--force")

    def test_a_folder_that_no_configuration_can_name(self, cli, tmp_path, monkeypatch):
        monkeypatch.setenv("OPENSSL_SERVE_HOME", str(tmp_path / 'a"b$c'))
        cli.good("generate", "a.test")

        assert "cannot be written into" in cli.refused(2, "export", "a.test", "--format", "nginx")


@pytest.mark.parametrize("form", ["pkcs12", "pfx-legacy", "p7b"])
def test_explain(cli, exported, tmp_path, form):
    script = cli.good("export", "a.test", "--format", form, "--explain").out
    work = tmp_path / "work"
    work.mkdir()
    (work / "password").write_text("x")

    subprocess.run(["sh", "-eu"], input=script.encode(), cwd=work, check=True)

    assert list(work.glob("bundle.*"))


def test_a_self_signed_pair_is_its_own_trust(cli, home, tmp_path):
    cli.good("generate", "a.test")
    cli.good("export", "a.test", "--format", "mobileconfig", "--out", tmp_path / "m")

    (payload,) = plistlib.loads((tmp_path / "m").read_bytes())["PayloadContent"]
    found = x509.load_der_x509_certificate(payload["PayloadContent"])
    assert found.public_bytes(serialization.Encoding.PEM) == (home / "a_test.crt").read_bytes()
    assert_self_signed(home / "a_test.crt", ["a.test", "localhost", "127.0.0.1", "::1"])
