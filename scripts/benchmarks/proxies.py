"""The reverse proxies, and the one server behind all of them: a file server, plain, on loopback."""

import shutil
from pathlib import Path

from benchmarks.figures import OURS
from benchmarks.peers import (
    CADDYFILE_TOP,
    Peer,
    Site,
    node_program,
    npm_version,
    our_program,
    places,
    system_user,
    version_of,
)
from benchmarks.processes import Word

NPM_PACKAGE = "local-ssl-proxy"


def find_proxies(npm_folder: Path) -> list[Peer]:
    """Describe all that we know to start, those that are not on this machine included."""
    return [openssl_serve(), nginx(), caddy(), local_ssl_proxy(node_program(), npm_folder)]


# --- the upstream

UPSTREAM = """\
daemon off; {user}
worker_processes 1; pid {scratch}/upstream.pid; error_log {scratch}/upstream.log;
events {{ worker_connections 4096; }}
http {{
    client_body_temp_path {scratch}/body; proxy_temp_path {scratch}/proxy;
    fastcgi_temp_path {scratch}/fastcgi; uwsgi_temp_path {scratch}/uwsgi;
    scgi_temp_path {scratch}/scgi;
    access_log off;
    sendfile on; tcp_nopush on;
    keepalive_requests 1000000000; keepalive_time 24h;
    server {{ listen 127.0.0.1:{upstream_port}; root {folder}; }}
}}
"""


def upstream(site: Site) -> list[Word] | None:
    """Return what starts the upstream of *site*: nginx, the quickest at hand; None without."""
    program = _nginx_program()
    if program is None:
        return None
    config = site.write("upstream.conf", UPSTREAM.format(user=system_user(), **places(site)))
    return [program, "-p", site.scratch, "-c", config, "-e", site.scratch / "upstream.log"]


# --- openssl-serve


def openssl_serve() -> Peer:
    """Find ours."""
    program, version = our_program()

    def command(site: Site) -> list[Word]:
        pair: list[Word] = ["--cert", site.certificate, "--cert-key", site.key]
        url = f"http://127.0.0.1:{site.upstream_port}"
        return [program, url, *pair, "--bind-addr", f"127.0.0.1:{site.tls_port}"]

    return Peer(OURS, version, command, redirects=False)


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
    keepalive_requests 1000000000; keepalive_time 24h;
    upstream app {{
        server 127.0.0.1:{upstream_port};
        keepalive 64; keepalive_requests 1000000000; keepalive_time 24h;
    }}
    server {{
        listen 127.0.0.1:{tls_port} ssl;
        ssl_certificate {certificate}; ssl_certificate_key {key};
        ssl_protocols TLSv1.2 TLSv1.3;
        location / {{
            proxy_pass http://app;
            proxy_http_version 1.1; proxy_set_header Connection "";
            proxy_set_header Host $host; proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Proto $scheme;
        }}
    }}
}}
"""


def nginx() -> Peer:
    """Find nginx, with the settings that keep its upstream connections open."""
    program = _nginx_program()

    def command(site: Site) -> list[Word]:
        config = site.write("nginx.conf", NGINX.format(user=system_user(), **places(site)))
        where: list[Word] = ["-p", site.scratch, "-c", config, "-e", site.scratch / "error.log"]
        return [str(program), *where]

    return Peer("nginx", version_of([program, "-v"]), command, redirects=False)


def _nginx_program() -> str | None:
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


# --- Caddy

CADDYFILE = (
    CADDYFILE_TOP
    + """\
https://:{tls_port} {{
    bind 127.0.0.1
    tls {certificate} {key}
    reverse_proxy 127.0.0.1:{upstream_port}
    log {{
        output file {scratch}/access.log
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

    return Peer("caddy", version_of([program, "version"]), command, redirects=False)


# --- local-ssl-proxy


def local_ssl_proxy(node: str, npm_folder: Path) -> Peer:
    """Find the npm package. No log."""
    package = npm_folder / NPM_PACKAGE

    def command(site: Site) -> list[Word]:
        ports = ["-s", str(site.tls_port), "-t", str(site.upstream_port), "-n", "127.0.0.1"]
        pair: list[Word] = ["-c", site.certificate, "-k", site.key]
        return [node, package / "build" / "main.js", *ports, *pair]

    return Peer(NPM_PACKAGE, npm_version(node, package), command, redirects=False)
