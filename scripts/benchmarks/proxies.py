"""The reverse proxies, and the one server behind all of them: a file server, plain, on loopback."""

from pathlib import Path

from benchmarks.figures import OURS
from benchmarks.processes import Word
from benchmarks.programs import (
    Peer,
    Site,
    caddy_command,
    caddy_version,
    nginx_command,
    nginx_program,
    nginx_version,
    node_program,
    npm_version,
    our_command,
    our_program,
)

NPM_PACKAGE = "local-ssl-proxy"


def find_proxies(npm_folder: Path) -> list[Peer]:
    """Describe all that we know to start, those that are not on this machine included."""
    return [openssl_serve(), nginx(), caddy(), local_ssl_proxy(node_program(), npm_folder)]


# --- the upstream

UPSTREAM = """\
    access_log off;
    sendfile on; tcp_nopush on;
    server {{ listen 127.0.0.1:{upstream_port}; root {folder}; }}
}}
"""


def upstream(site: Site) -> list[Word] | None:
    """Return what starts the upstream of *site*: nginx, the quickest at hand; None without."""
    return nginx_command(site, UPSTREAM, workers="1") if nginx_program() else None


# --- openssl-serve


def openssl_serve() -> Peer:
    """Find ours."""
    program, version = our_program()

    def command(site: Site) -> list[Word]:
        return our_command(program, site, f"http://127.0.0.1:{site.upstream_port}")

    return Peer(OURS, version, command, redirects=False)


# --- nginx

NGINX = """\
    access_log {scratch}/access.log;
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
    return Peer("nginx", nginx_version(), lambda site: nginx_command(site, NGINX), redirects=False)


# --- Caddy

CADDYFILE = """\
https://:{tls_port} {{
    bind 127.0.0.1
    tls {certificate} {key}
    reverse_proxy 127.0.0.1:{upstream_port}
    log {{
        output file {scratch}/access.log
    }}
}}
"""


def caddy() -> Peer:
    """Find Caddy."""
    return Peer(
        "caddy", caddy_version(), lambda site: caddy_command(site, CADDYFILE), redirects=False
    )


# --- local-ssl-proxy


def local_ssl_proxy(node: str, npm_folder: Path) -> Peer:
    """Find the npm package. No log."""
    package = npm_folder / NPM_PACKAGE

    def command(site: Site) -> list[Word]:
        ports = ["-s", str(site.tls_port), "-t", str(site.upstream_port), "-n", "127.0.0.1"]
        pair: list[Word] = ["-c", site.certificate, "-k", site.key]
        return [node, package / "build" / "main.js", *ports, *pair]

    return Peer(NPM_PACKAGE, npm_version(node, package), command, redirects=False)
