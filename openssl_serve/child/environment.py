"""What the command finds in its environment: where to listen, and where it will be found.

Variables reach what stands behind `npm run dev` or a Makefile too, so they come before flags.
Those about trust are certs/bundle.py's.
"""

from collections.abc import Iterable, Mapping

from openssl_serve.addresses import Address
from openssl_serve.hosts import Host, hosts_among

URL_VARIABLE = "OPENSSL_SERVE_URL"
"""Where browsers find the command's server."""

_OURS_ALONE = (
    # What systemd says to the process that it started, which is this one (sd_notify(3)).
    "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC",
    # Secrets that a command has no use for.
    "OPENSSL_SERVE_AUTH", "OPENSSL_SERVE_KEY_PASSWORD",
)  # fmt: skip


def listening_variables(address: Address, environ: Mapping[str, str]) -> dict[str, str]:
    """Return what makes frameworks listen on *address*, where they read it from variables.

    What the user has set for one framework alone stays as it is in *environ*.
    """
    host, port = address.host, str(address.port)
    particular = {
        # Flask and uvicorn make an option of every variable with their prefix.
        "FLASK_RUN_HOST": host,
        "FLASK_RUN_PORT": port,
        "UVICORN_HOST": host,
        "UVICORN_PORT": port,
        # It reads PORT too, and would then listen for the whole network.
        "GUNICORN_CMD_ARGS": f"--bind {host}:{port}",
        "STREAMLIT_SERVER_ADDRESS": host,
        "STREAMLIT_SERVER_PORT": port,
    }
    return {
        "HOST": host,
        "PORT": port,
        **{name: value for name, value in particular.items() if name not in environ},
    }


def public_variables(names: Iterable[str], port: int | None) -> dict[str, str]:
    """Return what says where the command's server is found: at *names*, the first of all.

    Without a *port*, by no URL.
    """
    hosts = hosts_among(names)
    first = next((host for host in hosts if not host.is_wildcard), None)
    variables = {URL_VARIABLE: f"https://{first.in_url}:{port}"} if first and port else {}
    # Vite answers for localhost, what is below it, and addresses; and, since 6.0.11, for one more.
    named = next((host.value for host in hosts if not host.is_ip and not _is_local(host)), None)
    if named is not None:
        variables["__VITE_ADDITIONAL_SERVER_ALLOWED_HOSTS"] = named.removeprefix("*")
    return variables


def without_ours(environ: Mapping[str, str]) -> dict[str, str]:
    """Return *environ* without what is for this process alone."""
    return {name: value for name, value in environ.items() if name not in _OURS_ALONE}


def _is_local(host: Host) -> bool:
    return host.value == "localhost" or host.value.endswith(".localhost")
