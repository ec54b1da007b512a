"""Configurations of other web servers for a kept pair: TLS here, the application behind.

Each is complete for its purpose, refers to the kept files, and sends plain HTTP to https, as our
own server does; a renewed certificate is found in the same place.
"""

import re
from contextlib import suppress
from dataclasses import dataclass

from openssl_serve.certs.store import Kept
from openssl_serve.errors import CertificateError, InvalidHostError, UsageError, typed
from openssl_serve.hosts import Host, parse_host, shorten


@dataclass(frozen=True, slots=True)
class Site:
    """Where the other server listens, and what it is in front of."""

    https_port: int = 443
    http_port: int = 80
    upstream: str = "127.0.0.1:3000"

    @property
    def port_in_url(self) -> str:
        """What follows the host in an https URL."""
        return "" if self.https_port == 443 else f":{self.https_port}"


def nginx(kept: Kept, site: Site) -> str:
    """A file for nginx's sites-enabled or conf.d (inside http {})."""
    return f"""\
server {{
    listen {site.http_port};
    listen [::]:{site.http_port};
    server_name {_names(kept)};
    add_header Cache-Control no-store always;
    return 308 https://$host{site.port_in_url}$request_uri;
}}

server {{
    listen {site.https_port} ssl;
    listen [::]:{site.https_port} ssl;
    server_name {_names(kept)};
    ssl_certificate {_quoted(kept.cert_path)};
    ssl_certificate_key {_quoted(kept.key_path)};
    ssl_protocols TLSv1.2 TLSv1.3;

    location / {{
        proxy_pass http://{site.upstream};
        proxy_http_version 1.1;
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $http_connection;
    }}
}}
"""


def haproxy(kept: Kept, site: Site) -> str:
    """A configuration for haproxy 2.3 or newer."""
    target = f"https://%[req.hdr(host),field(1,:)]{site.port_in_url}%[capture.req.uri]"
    return f"""\
global
    # my.crt and my.key instead of one file with both
    ssl-load-extra-del-ext
    ssl-default-bind-options ssl-min-ver TLSv1.2

defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout tunnel 1h

frontend plain
    bind :::{site.http_port} v4v6
    http-request redirect location {target} code 308

frontend secure
    bind :::{site.https_port} v4v6 ssl crt {_quoted(kept.cert_path)} alpn h2,http/1.1
    option forwardfor
    http-request set-header X-Forwarded-Proto https
    default_backend application

backend application
    server application {site.upstream}
"""


def caddy(kept: Kept, site: Site) -> str:
    """A Caddyfile."""
    hosts = [host.in_url for host in _hosts(kept)]
    plain = ", ".join(f"http://{host}:{site.http_port}" for host in hosts)
    secure = ", ".join(f"https://{host}:{site.https_port}" for host in hosts)
    return f"""\
{{
	http_port {site.http_port}
	https_port {site.https_port}
	# Its own redirect leads to port 443, whatever https_port is.
	auto_https disable_redirects
	# It makes a CA of its own all the same, for which nobody has a use.
	skip_install_trust
}}

{plain} {{
	redir https://{{host}}{site.port_in_url}{{uri}} 308
}}

{secure} {{
	tls {_quoted(kept.cert_path)} {_quoted(kept.key_path)}
	reverse_proxy {site.upstream}
}}
"""


def traefik(kept: Kept, site: Site) -> str:
    """A dynamic configuration file for traefik 3; its entry points are static."""
    rule = _yaml(" || ".join(map(_traefik_rule, _hosts(kept))))
    return f"""\
# Static configuration: entryPoints.web.address: ":{site.http_port}",
# entryPoints.websecure.address: ":{site.https_port}", providers.file.filename: this file, whose
# name has to end in .yml.
tls:
  certificates:
    - certFile: {_yaml(kept.cert_path)}
      keyFile: {_yaml(kept.key_path)}
  options:
    default:
      minVersion: VersionTLS12
http:
  routers:
    plain:
      entryPoints: [web]
      rule: {rule}
      middlewares: [to-https]
      service: application
    secure:
      entryPoints: [websecure]
      rule: {rule}
      service: application
      tls: {{}}
  middlewares:
    to-https:
      redirectScheme:
        scheme: https
        port: "{site.https_port}"
  services:
    application:
      loadBalancer:
        servers:
          - url: "http://{site.upstream}"
"""


def apache(kept: Kept, site: Site) -> str:
    """A file for Apache 2.4's sites-enabled; wants mod_ssl, proxy_http, rewrite and headers."""
    first, *others = map(str, _hosts(kept))
    alias = f"\n    ServerAlias {' '.join(others)}" if others else ""
    return f"""\
<VirtualHost *:{site.http_port}>
    ServerName {first}{alias}
    RewriteEngine on
    RewriteRule ^ https://%{{SERVER_NAME}}{site.port_in_url}%{{REQUEST_URI}} [R=308,L,NE]
</VirtualHost>

<VirtualHost *:{site.https_port}>
    ServerName {first}{alias}
    SSLEngine on
    SSLProtocol -all +TLSv1.2 +TLSv1.3
    SSLCertificateFile {_quoted(kept.cert_path)}
    SSLCertificateKeyFile {_quoted(kept.key_path)}
    ProxyPreserveHost on
    RequestHeader set X-Forwarded-Proto https
    ProxyPass / http://{site.upstream}/ upgrade=websocket
    ProxyPassReverse / http://{site.upstream}/
</VirtualHost>
"""


def _names(kept: Kept) -> str:
    return " ".join(host.in_url for host in _hosts(kept))


def _hosts(kept: Kept) -> list[Host]:
    """What the other server is to answer for; somebody else's certificate may have odd names."""
    found = []
    for name in kept.facts.names:
        with suppress(InvalidHostError):
            found.append(parse_host(name, any_wildcard=True))
    if not found:
        raise CertificateError(
            f"{kept.cert_path} names no host, and a web server needs one",
            f"make another in its place: {typed('openssl-serve', 'generate', kept.host)}",
        )
    return found


def _quoted(path: object) -> str:
    """A path as all of these read it: in double quotes when it needs any."""
    text = str(path)
    if set(text) & set('"\\\n\r$'):
        raise UsageError(
            f'"{shorten(text)}" cannot be written into a configuration',
            "keep them elsewhere: OPENSSL_SERVE_HOME=/path/to/folder",
        )
    return f'"{text}"' if set(text) & set(" ;{}#'") else text


def _traefik_rule(host: Host) -> str:
    """What matches the requests for *host*; a wildcard stands for one label."""
    if not host.is_wildcard:
        return f"Host(`{host}`)"
    return f"HostRegexp(`^[^.]+{re.escape(host.value.removeprefix('*'))}$`)"


def _yaml(text: object) -> str:
    import json  # noqa: PLC0415 - a JSON string is a YAML string

    return json.dumps(str(text))
