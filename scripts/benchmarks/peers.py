"""The servers of a folder, and what each is told: ours first, then in the order of the table.

All serve the same folder with the same certificate on 127.0.0.1, keep connections open as long as
the client likes, and write an access log to a file if they can write one at all: ours does.
"""

import shutil
import sys
from pathlib import Path

from benchmarks.figures import OURS
from benchmarks.processes import BenchError, Word, output
from benchmarks.programs import (
    Peer,
    Site,
    caddy_command,
    caddy_version,
    nginx_command,
    nginx_version,
    node_program,
    npm_version,
    our_command,
    our_program,
)

NPM_PACKAGES = ("http-server", "httpolyglot", "pem", "local-ssl-proxy")


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
    return Peer(OURS, version, lambda site: our_command(program, site, site.folder), one_port=True)


# --- nginx

NGINX = """\
    access_log {scratch}/access.log;
    sendfile on; tcp_nopush on; open_file_cache off;
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
    """Find nginx."""
    return Peer("nginx", nginx_version(), lambda site: nginx_command(site, NGINX))


# --- Caddy

CADDYFILE = """\
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


def caddy() -> Peer:
    """Find Caddy."""
    return Peer("caddy", caddy_version(), lambda site: caddy_command(site, CADDYFILE))


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
