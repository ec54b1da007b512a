"""A kept pair in the forms that other programs take. Pure, but for what openssl has to make.

Every form says whether it holds a secret: whoever writes it makes it 0600 then.
"""

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from openssl_serve.certs import pem, sites
from openssl_serve.certs.anchor import anchor_of
from openssl_serve.certs.issue import follow, work_folder
from openssl_serve.certs.pairs import check_readable
from openssl_serve.certs.pem_files import read_file
from openssl_serve.certs.sites import Site
from openssl_serve.certs.store import Kept
from openssl_serve.errors import CertificateError, typed
from openssl_serve.openssl import commands
from openssl_serve.openssl.binary import Openssl
from openssl_serve.openssl.commands import Recipe


class Form(StrEnum):
    """What a pair can be exported as."""

    PEM = "pem"
    DER = "der"
    COMBINED = "combined"
    PKCS12 = "pkcs12"
    PFX_LEGACY = "pfx-legacy"
    P7B = "p7b"
    MOBILECONFIG = "mobileconfig"
    K8S_SECRET = "k8s-secret"  # noqa: S105 - the name of a format
    CERT_MANAGER = "cert-manager"
    NGINX = "nginx"
    HAPROXY = "haproxy"
    CADDY = "caddy"
    TRAEFIK = "traefik"
    APACHE = "apache"

    @property
    def needs_password(self) -> bool:
        """Whether the private key in it is encrypted."""
        return self in (Form.PKCS12, Form.PFX_LEGACY)

    @property
    def needs_openssl(self) -> bool:
        """Whether openssl makes it."""
        return self.needs_password or self is Form.P7B


class Exported(NamedTuple):
    """The bytes of a file; `secret` when a private key is in them."""

    data: bytes
    secret: bool = False
    binary: bool = False


@dataclass(frozen=True, slots=True)
class Export:
    """What was asked for."""

    form: Form
    password: str = ""
    site: Site = field(default_factory=Site)


def export(kept: Kept, wanted: Export, openssl: Openssl) -> Exported:
    """*kept* in the form *wanted*. Raises CertificateError, OpensslError."""
    if wanted.form.needs_openssl:
        return _by_openssl(kept, wanted, openssl)
    return _BY_US[wanted.form](kept, wanted)


def recipe(kept: Kept, form: Form) -> Recipe:
    """How openssl makes *form*; the password is in the file `password` beside it."""
    chain = [kept.cert_path] + ([kept.ca_path] if kept.authority else [])
    files = [str(path) for path in chain]
    if form is Form.P7B:
        return Recipe("", (commands.bundle(files),))
    names = (str(kept.key_path), str(kept.host))
    return Recipe("", (commands.pkcs12(files, *names, legacy=form is Form.PFX_LEGACY),))


def _by_openssl(kept: Kept, wanted: Export, openssl: Openssl) -> Exported:
    steps = recipe(kept, wanted.form)
    if wanted.form.needs_password:
        check_readable(kept.key_path)
    with work_folder() as folder:
        # The folder is ours alone; a command line is not.
        (folder / commands.PASSWORD).write_text(wanted.password + "\n", "utf-8")
        follow(openssl, steps, folder)
        made = (folder / steps.steps[-1].makes[-1]).read_bytes()
    return Exported(made, wanted.form.needs_password, binary=wanted.form.needs_password)


def _pem(kept: Kept, _: Export) -> Exported:
    return Exported(read_file(kept.cert_path))


def _der(kept: Kept, _: Export) -> Exported:
    return Exported(pem.blocks(read_file(kept.cert_path))[0].der, binary=True)


def _combined(kept: Kept, _: Export) -> Exported:
    return Exported(read_file(kept.cert_path) + read_file(kept.key_path), secret=True)


def _mobileconfig(kept: Kept, _: Export) -> Exported:
    anchor = anchor_of(kept.cert_path, kept.cert_path.parent)
    if anchor is None:
        raise CertificateError(
            f"{kept.cert_path}: its issuer is not kept here, and only that could be trusted",
            f"have it issued anew: {typed('openssl-serve', 'renew', kept.host)}",
        )
    return Exported(anchor.mobileconfig)


def _k8s_secret(kept: Kept, _: Export) -> Exported:
    return Exported(
        _secret(kept.cert_path, kept.key_path, kept.ca_path, _resource(kept)), secret=True
    )


def _cert_manager(kept: Kept, _wanted: Export) -> Exported:
    """The local CA as an issuer in a cluster, which then makes certificates itself."""
    if kept.authority is None:
        raise CertificateError(
            f"{kept.cert_path} was issued by no local CA, and cert-manager needs one",
            f"have it issued by one: {typed('openssl-serve', 'generate', '--ca', kept.host)}",
        )
    if refusal := kept.authority.refusal(()):
        # It could issue nothing there either.
        raise refusal
    name = "openssl-serve-ca"
    secret = _secret(kept.ca_path, kept.authority.key_path, None, name, "cert-manager")
    cluster_issuer = (
        "---\napiVersion: cert-manager.io/v1\nkind: ClusterIssuer\nmetadata:\n"
        f"  name: {name}\nspec:\n  ca:\n    secretName: {name}\n"
    )
    return Exported(secret + cluster_issuer.encode(), secret=True)


def _secret(cert: Path, key: Path, ca: Path | None, name: str, namespace: str = "") -> bytes:
    lines = ["apiVersion: v1", "kind: Secret", "type: kubernetes.io/tls", "metadata:"]
    lines.append(f"  name: {name}")
    if namespace:
        lines.append(f"  namespace: {namespace}")
    lines.append("data:")
    files = {"tls.crt": cert, "tls.key": key} | ({"ca.crt": ca} if ca else {})
    lines += [f"  {n}: {base64.b64encode(read_file(p)).decode()}" for n, p in files.items()]
    return "\n".join([*lines, ""]).encode()


def _resource(kept: Kept) -> str:
    """A name that Kubernetes takes (RFC 1123, at most 253 characters)."""
    host = str(kept.host).replace("*", "wildcard").replace(":", "-").replace("_", "-")
    # No label may begin or end with a hyphen, as the middle one of a._b.test would by now.
    labels = (label.strip("-") for label in f"{host[:240]}-tls".split("."))
    return ".".join(label for label in labels if label)


def _site(text: Callable[[Kept, Site], str]) -> Callable[[Kept, Export], Exported]:
    return lambda kept, wanted: Exported(text(kept, wanted.site).encode())


_BY_US: dict[Form, Callable[[Kept, Export], Exported]] = {
    Form.PEM: _pem,
    Form.DER: _der,
    Form.COMBINED: _combined,
    Form.MOBILECONFIG: _mobileconfig,
    Form.K8S_SECRET: _k8s_secret,
    Form.CERT_MANAGER: _cert_manager,
    Form.NGINX: _site(sites.nginx),
    Form.HAPROXY: _site(sites.haproxy),
    Form.CADDY: _site(sites.caddy),
    Form.TRAEFIK: _site(sites.traefik),
    Form.APACHE: _site(sites.apache),
}
