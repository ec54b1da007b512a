"""How each server is found and started: one section each, ours first, then in the table's order.

All serve the same folder with the same certificate on 127.0.0.1, keep connections open as long as
the client likes, and write an access log to a file if they can write one at all: ours does.
"""

import compileall
import grp
import json
import os
import pwd
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import OURS
from benchmarks.processes import BenchError, Word, output

ROOT = Path(__file__).parent.parent.parent

NPM_PACKAGES = ("http-server", "httpolyglot", "pem", "local-ssl-proxy")


@dataclass(frozen=True, slots=True)
class Site:
    """What every server is given; `scratch` is a folder for this one start alone."""

    folder: Path
    certificate: Path
    key: Path
    scratch: Path
    tls_port: int
    plain_port: int
    upstream_port: int = 0
    """Of the server that a proxy is to stand before."""

    def write(self, name: str, text: str) -> Path:
        """Put a configuration into the scratch folder."""
        path = self.scratch / name
        path.write_text(text)
        return path


@dataclass(frozen=True, slots=True)
class Peer:
    """A server: `version` is empty if it is not here, `command` writes its config and runs it."""

    name: str
    version: str
    command: Callable[[Site], list[Word]]
    one_port: bool = False
    """Whether plain HTTP is answered on the TLS port."""
    redirects: bool = True


def find_all(npm_folder: Path) -> list[Peer]:
    """Describe all that we know to start, those that are not on this machine included."""
    node = node_program()
    return [
        openssl_serve(),
        nginx(),
        caddy(),
        http_server(node, npm_folder),
        httpolyglot(node, npm_folder),
        standard_library(),
    ]


def install_npm(npm_folder: Path) -> None:
    """Put the Node packages where `--npm-folder` looks for them."""
    npm = shutil.which("npm")
    if not npm or npm_folder.name != "node_modules":
        raise BenchError("--install-npm needs npm, and a folder named node_modules to fill")
    npm_folder.mkdir(parents=True, exist_ok=True)
    prefix: list[Word] = ["--prefix", npm_folder.parent]
    output([npm, "install", "--no-audit", "--no-fund", *prefix, *NPM_PACKAGES])


# --- openssl-serve


def openssl_serve() -> Peer:
    """Find ours, as installed into the checkout's environment."""
    program, version = our_program()

    def command(site: Site) -> list[Word]:
        pair: list[Word] = ["--cert", site.certificate, "--cert-key", site.key]
        return [program, site.folder, *pair, "--bind-addr", f"127.0.0.1:{site.tls_port}"]

    return Peer(OURS, version, command, one_port=True)


# --- nginx

NGINX = """\
daemon off; {user}
worker_processes auto; pid {scratch}/pid; error_log {scratch}/error.log;
events {{ worker_connections 4096; }}
http {{
    client_body_temp_path {scratch}/body; proxy_temp_path {scratch}/proxy;
    fastcgi_temp_path {scratch}/fastcgi; uwsgi_temp_path {scratch}/uwsgi;
    scgi_temp_path {scratch}/scgi;
    access_log {scratch}/access.log;
    sendfile on; tcp_nopush on; open_file_cache off;
    keepalive_requests 1000000000; keepalive_time 24h;
    server {{
        listen 127.0.0.1:{tls_port} ssl;
        ssl_certificate {certificate}; ssl_certificate_key {key};
        ssl_protocols TLSv1.2 TLSv1.3;
        root {folder};
    }}
    server {{
        listen 127.0.0.1:{plain_port};
        return 301 https://$host:{tls_port}$request_uri;
    }}
}}
"""


def nginx() -> Peer:
    """Find nginx; distributions keep it where only root's PATH looks."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")

    def command(site: Site) -> list[Word]:
        config = site.write("nginx.conf", NGINX.format(user=system_user(), **places(site)))
        where: list[Word] = ["-p", site.scratch, "-c", config, "-e", site.scratch / "error.log"]
        return [str(program), *where]

    return Peer("nginx", version_of([program, "-v"]), command)


# --- Caddy

CADDYFILE_TOP = """\
{{
    admin off
    auto_https off
}}
"""
CADDYFILE = (
    CADDYFILE_TOP
    + """\
https://:{tls_port} {{
    bind 127.0.0.1
    tls {certificate} {key}
    root * {folder}
    file_server
    log {{
        output file {scratch}/access.log
    }}
}}
http://:{plain_port} {{
    bind 127.0.0.1
    redir https://{{host}}:{tls_port}{{uri}} permanent
    log {{
        output file {scratch}/redirects.log
    }}
}}
"""
)


def caddy() -> Peer:
    """Find Caddy."""
    program = shutil.which("caddy")

    def command(site: Site) -> list[Word]:
        config = site.write("Caddyfile", CADDYFILE.format(**places(site)))
        return [str(program), "run", "--config", config, "--adapter", "caddyfile"]

    return Peer("caddy", version_of([program, "version"]), command)


# --- http-server


def http_server(node: str, npm_folder: Path) -> Peer:
    """Find the npm package. It answers no plain HTTP when it has a certificate."""
    package = npm_folder / "http-server"

    def command(site: Site) -> list[Word]:
        address = ["-a", "127.0.0.1", "-p", str(site.tls_port)]
        pair: list[Word] = ["-S", "-C", site.certificate, "-K", site.key]
        return [node, package / "bin" / "http-server", site.folder, *address, *pair]

    return Peer("http-server", npm_version(node, package), command, redirects=False)


# --- httpolyglot

HTTPOLYGLOT = """\
const fs = require('fs'), path = require('path');
const [,, httpolyglot, folder, certificate, key, port] = process.argv;
const pair = { cert: fs.readFileSync(certificate), key: fs.readFileSync(key) };
require(httpolyglot).createServer(pair, (request, response) => {
  if (!request.socket.encrypted) {
    response.writeHead(301, { Location: 'https://' + request.headers.host + request.url });
    return response.end();
  }
  const file = path.join(folder, path.posix.normalize(request.url));
  fs.stat(file, (error, stat) => {
    if (error) { response.writeHead(404); return response.end(); }
    response.writeHead(200, { 'Content-Length': stat.size });
    fs.createReadStream(file).pipe(response);
  });
}).listen(port, '127.0.0.1');
"""


def httpolyglot(node: str, npm_folder: Path) -> Peer:
    """Find the npm package; it is a library, so a few lines make a file server of it. No log."""
    package = npm_folder / "httpolyglot"

    def command(site: Site) -> list[Word]:
        script = site.write("server.js", HTTPOLYGLOT)
        pair = [site.certificate, site.key]
        return [node, script, package.resolve(), site.folder, *pair, str(site.tls_port)]

    return Peer("httpolyglot", npm_version(node, package), command, one_port=True)


# --- the standard library: the floor, as the well-known dozen lines would have it

STANDARD_LIBRARY = """\
import ssl, sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

folder, certificate, key, port = sys.argv[1:]
SimpleHTTPRequestHandler.protocol_version = "HTTP/1.1"
handler = partial(SimpleHTTPRequestHandler, directory=folder)
server = ThreadingHTTPServer(("127.0.0.1", int(port)), handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""


def standard_library() -> Peer:
    """Take Python's own http.server behind TLS."""

    def command(site: Site) -> list[Word]:
        script = site.write("server.py", STANDARD_LIBRARY)
        pair = [site.certificate, site.key]
        return [sys.executable, script, site.folder, *pair, str(site.tls_port)]

    version = ".".join(map(str, sys.version_info[:3]))
    return Peer("http.server", version, command, redirects=False)


# --- what the sections share


def our_program() -> tuple[Path, str]:
    """Give our program, its modules compiled, and its version; that is empty if it is not here."""
    program = Path(sys.executable).parent / "openssl-serve"
    if not program.exists():
        return program, ""
    # As an installer does; with PYTHONDONTWRITEBYTECODE set, each start would compile it all.
    compileall.compile_dir(ROOT / "openssl_serve", quiet=2)
    package = (ROOT / "openssl_serve" / "__init__.py").read_text()
    return program, package.partition('__version__ = "')[2].partition('"')[0]


def node_program() -> str:
    """Find Node; empty if it is not here."""
    return shutil.which("node") or ""


def npm_version(node: str, package: Path) -> str:
    """Read the version of a package in an npm folder; empty if it, or Node, is not here."""
    description = package / "package.json"
    if not node or not description.is_file():
        return ""
    return str(json.loads(description.read_text())["version"])


def places(site: Site) -> dict[str, object]:
    """Give the fields of *site* by name, for a configuration."""
    return {name: getattr(site, name) for name in Site.__slots__}


def system_user() -> str:
    """Give nginx's directive without which root's workers become "nobody", who can read nothing."""
    if os.geteuid() != 0:
        return ""
    return f"user {pwd.getpwuid(0).pw_name} {grp.getgrgid(0).gr_name};"


def version_of(command: list[str | None]) -> str:
    """Find the first word with a digit in what a program says of itself; empty without program."""
    program, *arguments = command
    if program is None:
        return ""
    words = output([program, *filter(None, arguments)]).replace("/", " ").split()
    return next((word for word in words if word[:1].isdigit()), "?")
