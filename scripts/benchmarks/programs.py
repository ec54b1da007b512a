"""The programs that are measured: where they are, which version, and what starts each of them.

What each is to do is said where it is measured: peers.py, proxies.py, makers.py.
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

from benchmarks.processes import Word, output

ROOT = Path(__file__).parent.parent.parent

NGINX_TOP = """\
daemon off; {user}
worker_processes {workers}; pid {scratch}/pid; error_log {scratch}/error.log;
events {{ worker_connections 4096; }}
http {{
    client_body_temp_path {scratch}/body; proxy_temp_path {scratch}/proxy;
    fastcgi_temp_path {scratch}/fastcgi; uwsgi_temp_path {scratch}/uwsgi;
    scgi_temp_path {scratch}/scgi;
    keepalive_requests 1000000000; keepalive_time 24h;
"""

CADDYFILE_TOP = """\
{{
    admin off
    auto_https off
}}
"""


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


def our_program() -> tuple[Path, str]:
    """Give our program, its modules compiled, and its version; that is empty if it is not here."""
    program = Path(sys.executable).parent / "openssl-serve"
    if not program.exists():
        return program, ""
    # As an installer does; with PYTHONDONTWRITEBYTECODE set, each start would compile it all.
    compileall.compile_dir(ROOT / "openssl_serve", quiet=2)
    package = (ROOT / "openssl_serve" / "__init__.py").read_text()
    return program, package.partition('__version__ = "')[2].partition('"')[0]


def our_command(program: Path, site: Site, target: Word) -> list[Word]:
    """Give what starts ours with *target*."""
    pair: list[Word] = ["--cert", site.certificate, "--cert-key", site.key]
    return [program, target, *pair, "--bind-addr", f"127.0.0.1:{site.tls_port}"]


def nginx_program() -> str | None:
    """Find nginx; distributions keep it where only root's PATH looks."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


def nginx_version() -> str:
    """Read the version of nginx; empty if it is not here."""
    return version_of([nginx_program(), "-v"])


def nginx_command(site: Site, rest: str, workers: str = "auto") -> list[Word]:
    """Give what starts nginx with the *rest* of its configuration, behind what is alike in all."""
    text = (NGINX_TOP + rest).format(user=system_user(), workers=workers, **places(site))
    config = site.write("nginx.conf", text)
    where: list[Word] = ["-p", site.scratch, "-c", config, "-e", site.scratch / "error.log"]
    return [str(nginx_program()), *where]


def caddy_version() -> str:
    """Read the version of Caddy; empty if it is not here."""
    return version_of([shutil.which("caddy"), "version"])


def caddy_command(site: Site, rest: str) -> list[Word]:
    """Give what starts Caddy with the *rest* of its configuration."""
    config = site.write("Caddyfile", (CADDYFILE_TOP + rest).format(**places(site)))
    return [str(shutil.which("caddy")), "run", "--config", config, "--adapter", "caddyfile"]


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
