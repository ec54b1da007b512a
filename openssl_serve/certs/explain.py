"""What would be done, as a shell script: pasted in an empty folder, it makes an equivalent."""

from dataclasses import replace

from openssl_serve.certs.authority import new_profile
from openssl_serve.certs.issue import authority_recipe, recipe_for
from openssl_serve.certs.judgement import wanted_shape
from openssl_serve.certs.profile import CertificateProfile, Shape
from openssl_serve.certs.store import Store
from openssl_serve.errors import UsageError
from openssl_serve.hosts import Host
from openssl_serve.openssl.commands import CERTIFICATE, KEY, Issuer

_CA = Issuer("ca.crt", "ca.key")


def explain_authority(program: str, permitted: tuple[Host, ...] = ()) -> str:
    """How a local CA is made, with *program*."""
    return "\n".join(
        [
            "# the local CA",
            authority_recipe(new_profile(permitted)).as_script(program),
            f"mv {KEY} {_CA.key}; mv {CERTIFICATE} {_CA.certificate}\n",
        ]
    )


def explain(
    store: Store,
    profile: CertificateProfile,
    program: str,
    *,
    ca: bool = False,
    permitted: tuple[Host, ...] = (),
) -> str:
    """How the certificate for *profile* is made; with *ca*, by a local CA, made if need be."""
    authority = store.find_authority()
    shape = Shape.LEAF if ca else wanted_shape(profile, authority)
    name = profile.hosts[0]
    if shape is Shape.SELF_SIGNED:
        return f"# a certificate for {name}\n{recipe_for(profile).as_script(program)}"
    if authority:
        profile = replace(profile, days=min(profile.days, authority.days_left()))
        script = recipe_for(profile, issuer=authority.issuer).as_script(program)
        return f"# a certificate for {name}, by the local CA\n{script}"
    if not ca:
        raise UsageError("there is no local CA", "make one: openssl-serve generate --ca")
    script = recipe_for(profile, issuer=_CA).as_script(program)
    return (
        f"{explain_authority(program, permitted)}\n# a certificate for {name}, by that CA\n{script}"
    )
