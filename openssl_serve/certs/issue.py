"""Making a key and a certificate in a work folder: the recipe, and the proof of what came out.

Where the folder is, and what becomes of the files, is decided elsewhere (store.py).
"""

import datetime as dt
import errno
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from openssl_serve.certs.facts import CertificateFacts, read_facts_file
from openssl_serve.certs.keys import check_pair
from openssl_serve.certs.profile import (
    ORGANIZATION,
    AuthorityProfile,
    CertificateProfile,
    KeyType,
    Shape,
)
from openssl_serve.errors import (
    CertificateError,
    OpensslFailedError,
    OpensslUnusableError,
    StoreError,
    reason_of,
)
from openssl_serve.openssl import commands
from openssl_serve.openssl.binary import Openssl
from openssl_serve.openssl.commands import CERTIFICATE, CONFIG, KEY, Issuer, Recipe, Step
from openssl_serve.openssl.template import MAX_COMMON_NAME_LENGTH, render

DEFAULT_KEY_TYPE = KeyType.P256
"""Accepted by every client, and both made and used in a fraction of the time of RSA."""


def new_serial() -> str:
    """A serial number for openssl: positive, random, 16 bytes (RFC 5280 section 4.1.2.2).

    Random, because Firefox refuses a second certificate with the same issuer and serial.
    """
    # The highest bit clear and the next one set: positive, and never shorter.
    return f"0x{secrets.randbits(126) | 1 << 126:032x}"


def recipe_for(
    profile: CertificateProfile,
    *,
    issuer: Issuer | None = None,
    new_key: bool = True,
) -> Recipe:
    """How to make a server certificate; without *new_key*, the key is in the folder already."""
    first = profile.hosts[0].value
    key_type = profile.key_type or DEFAULT_KEY_TYPE
    config = render(
        common_name=first if len(first) <= MAX_COMMON_NAME_LENGTH else "openssl-serve",
        names=profile.hosts,
        key_is_rsa=key_type.is_rsa,
    )
    new = key_type.value if new_key else None
    if not issuer:
        section = Shape.SELF_SIGNED.section
        step = commands.self_signed(section, profile.days, new_serial(), new_key=new)
        return Recipe(config, (step,))
    signing = commands.sign(issuer, Shape.LEAF.section, profile.days, new_serial())
    return Recipe(config, (commands.new_request(new_key=new), signing))


def authority_recipe(profile: AuthorityProfile, *, new_key: bool = True) -> Recipe:
    """How to make a local CA; without *new_key*, the key is in the folder already."""
    config = render(
        common_name=profile.common_name, organization=ORGANIZATION, permitted=profile.permitted
    )
    new = profile.key_type.value if new_key else None
    step = commands.self_signed(Shape.CA.section, profile.days, new_serial(), new_key=new)
    return Recipe(config, (step,))


def run_recipe(openssl: Openssl, recipe: Recipe, folder: Path) -> CertificateFacts:
    """Follow *recipe* in *folder*; the facts of the certificate, its key proven to match.

    The key is readable by its owner alone. Raises OpensslError, or OSError for the folder.
    """
    follow(openssl, recipe, folder)
    # umask 077 has seen to it; but a key is not to depend on one flavour's manners.
    (folder / KEY).chmod(0o600)
    try:
        facts = read_facts_file(folder / CERTIFICATE)
        check_pair(folder / CERTIFICATE, folder / KEY)
    except CertificateError as error:
        name = str(error).replace(f"{folder}/", "")
        raise OpensslFailedError(
            f"{openssl.path} ({openssl.version}) made something unusable: {name}"
        ) from error
    return facts


@contextmanager
def work_folder() -> Iterator[Path]:
    """A private folder for what is not kept, gone at the end. Raises StoreError."""
    try:
        with tempfile.TemporaryDirectory(prefix="openssl-serve-") as name:
            yield Path(name)
    except OSError as error:
        path = error.filename or tempfile.gettempdir()
        raise StoreError(
            f"{path}: cannot be written: {reason_of(error)}",
            "use another folder for temporary files: TMPDIR=/path/to/folder",
        ) from error


def follow(openssl: Openssl, recipe: Recipe, folder: Path) -> None:
    """Run the steps of *recipe* in *folder*; each has made its file, or OpensslError is raised."""
    (folder / CONFIG).write_text(recipe.config, "utf-8")
    for step in recipe.steps:
        _run_step(openssl, step, folder)


def issue(
    openssl: Openssl,
    profile: CertificateProfile,
    folder: Path,
    *,
    issuer: Issuer | None = None,
    new_key: bool = True,
) -> CertificateFacts:
    """Make a server certificate in *folder*, and refuse it if it is not what was asked for."""
    if profile.key_type is KeyType.ED25519 and "Ed25519 keys" in openssl.version.lacks:
        raise OpensslUnusableError(
            f"{openssl.path} is {openssl.version}, and makes no Ed25519 keys",
            "the default, P-256, is accepted by every client: leave out --key-type",
        )
    recipe = recipe_for(profile, issuer=issuer, new_key=new_key)
    facts = run_recipe(openssl, recipe, folder)
    missing = [str(host) for host in profile.hosts if not facts.covers(host)]
    if missing:
        raise _not_asked_for(openssl, f"is not valid for {', '.join(missing)}")
    _check(openssl, facts, Shape.LEAF if issuer else Shape.SELF_SIGNED, profile.days)
    return facts


def issue_authority(
    openssl: Openssl, profile: AuthorityProfile, folder: Path, *, new_key: bool = True
) -> CertificateFacts:
    """Make a local CA in *folder*, and refuse it if it is not what was asked for."""
    facts = run_recipe(openssl, authority_recipe(profile, new_key=new_key), folder)
    _check(openssl, facts, Shape.CA, profile.days)
    return facts


def _check(openssl: Openssl, facts: CertificateFacts, shape: Shape, days: int) -> None:
    if facts.shape is not shape:
        raise _not_asked_for(openssl, "lacks extensions that were asked for")
    lifetime = facts.not_after - facts.not_before
    # A second more or less: LibreSSL and OpenSSL count the last one differently.
    if abs(lifetime - dt.timedelta(days=days)) > dt.timedelta(minutes=1):
        raise _not_asked_for(openssl, f"is valid for {lifetime.days} days, not {days}")


def _not_asked_for(openssl: Openssl, fault: str) -> OpensslFailedError:
    return OpensslFailedError(f"{openssl.path} ({openssl.version}) made a certificate that {fault}")


def _run_step(openssl: Openssl, step: Step, folder: Path) -> None:
    try:
        output = openssl.run(*step.arguments, folder=folder)
    except OpensslFailedError:
        # What is killed whatever it is asked is no openssl that works here: that says more.
        _ = openssl.version
        raise
    made = [folder / name for name in step.makes]
    # The exit code alone says little: LibreSSL leaves with 0 after "invalid command".
    if output.exit_code != 0 or not all(path.is_file() and path.stat().st_size for path in made):
        if not os.statvfs(folder).f_bavail:
            # openssl makes an empty file then, says nothing and leaves with 0.
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))
        raise openssl.failure(step.arguments[0], output)
