"""What would be done, as a shell script: pasted in an empty folder, it makes an equivalent."""

import shlex
from dataclasses import replace

from openssl_serve.certs.authority import Authority, new_profile, same_profile
from openssl_serve.certs.issue import authority_recipe, recipe_for
from openssl_serve.certs.judgement import wanted_shape
from openssl_serve.certs.plan import plan_for
from openssl_serve.certs.profile import CertificateProfile, Shape
from openssl_serve.certs.store import Kept, Store
from openssl_serve.errors import UsageError
from openssl_serve.hosts import Subtree
from openssl_serve.openssl.commands import CERTIFICATE, KEY, Issuer

_CA = Issuer("ca.crt", "ca.key")


def explain(
    store: Store,
    profile: CertificateProfile,
    program: str,
    *,
    ca: bool = False,
    permitted: tuple[Subtree, ...] = (),
) -> str:
    """How the certificate for *profile* is made; with *ca*, by a local CA, made if need be."""
    authority = store.find_authority()
    shape = Shape.LEAF if ca else wanted_shape(profile, authority)
    name = profile.hosts[0]
    if shape is Shape.SELF_SIGNED:
        return f"# a certificate for {name}\n{recipe_for(profile).as_script(program)}"
    if authority:
        if refusal := authority.refusal(profile.hosts):
            raise refusal
        profile = replace(profile, days=min(profile.days, authority.days_left()))
        script = recipe_for(profile, issuer=authority.issuer).as_script(program)
        return f"# a certificate for {name}, by the local CA\n{script}"
    if not ca:
        raise UsageError("there is no local CA", "make one: openssl-serve generate --ca")
    script = recipe_for(profile, issuer=_CA).as_script(program)
    return (
        f"{explain_authority(program, permitted)}\n# a certificate for {name}, by that CA\n{script}"
    )


def explain_authority(program: str, permitted: tuple[Subtree, ...] = ()) -> str:
    """How a new local CA is made."""
    made = authority_recipe(new_profile(permitted)).as_script(program)
    return f"# the local CA\n{made}mv {KEY} {_CA.key}; mv {CERTIFICATE} {_CA.certificate}\n"


def explain_renewal(store: Store, kept: Kept, program: str, *, new_key: bool = False) -> str:
    """How *kept* is renewed. Raises CertificateError if it is somebody else's."""
    plan = plan_for(kept.profile, kept.facts, store.find_authority(), new_key=new_key)
    recipe = recipe_for(plan.profile, issuer=plan.issuer, new_key=not plan.keep_key)
    script = recipe.as_script(program)
    if not plan.keep_key:
        return f"# {kept.host}, with a new key\n{script}"
    return f"# {kept.host}, with the same key\n{_same_key(str(kept.key_path))}{script}"


def explain_authority_renewal(authority: Authority, program: str) -> str:
    """How the local CA is renewed."""
    script = authority_recipe(same_profile(authority), new_key=False).as_script(program)
    return f"# the local CA, with the same key\n{_same_key(str(authority.key_path))}{script}"


def _same_key(path: str) -> str:
    return f"umask 077; cp {shlex.quote(path)} {KEY}\n"
