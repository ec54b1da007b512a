"""A program of its own, for any Python 3: asks for one URL as that Python does by default.

    probe.py URL [requests]

Prints one line of JSON: `prefix`, `version`, `reads` (where its CAs are) and `says` (why it refuses
the server, or null); with a second word it asks by requests, or is silent when there is none. Run
as a file by a Python that need not be ours: it uses the standard library alone, as 3.6 has it.
"""

import importlib.util
import json
import os
import sys
from typing import Any


def by_http_client(url: str) -> None:
    """Ask with the standard library: urllib does so too, and proxies do not come into it."""
    import http.client  # noqa: PLC0415

    _, _, host, path = url.split("/", 3)
    connection = http.client.HTTPSConnection(host)
    connection.request("GET", "/" + path)
    connection.getresponse()


def place_of_http_client() -> "str | None":
    """Where the CAs are that it trusts."""
    import ssl  # noqa: PLC0415

    paths = ssl.get_default_verify_paths()
    return paths.cafile or paths.capath


def by_requests(url: str) -> None:
    """Ask with requests, as it does when it is told nothing."""
    import requests  # noqa: PLC0415

    requests.get(url)  # noqa: S113  whoever has started this program ends it in time


def place_of_requests() -> str:
    """Where the CAs are that it trusts: certifi's, if no variable names others."""
    import requests  # noqa: PLC0415

    named = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    return str(named or requests.utils.DEFAULT_CA_BUNDLE_PATH)


def reason(error: "BaseException | None") -> "str | None":
    """OpenSSL's own words in *error* or in what led to it, without "certificate verify failed:"."""
    first = error
    while error is not None:
        words = getattr(error, "verify_message", None)
        if words:
            return str(words)
        error = error.__context__
    return str(first) if first else None


def version_of(library: str) -> str:
    """That of the library, or of Python when there is none."""
    if library:
        return str(sys.modules[library].__version__)
    return ".".join(map(str, sys.version_info[:3]))


def main(url: str, library: str = "") -> "dict[str, Any] | None":
    """What is to be told; None where there is no such library."""
    if library and importlib.util.find_spec(library) is None:
        return None
    reads = place_of_requests() if library else place_of_http_client()
    told = {"prefix": sys.prefix, "version": version_of(library), "reads": reads, "says": None}
    try:
        (by_requests if library else by_http_client)(url)
    except Exception as error:  # noqa: BLE001  whatever it is, it is told
        told["says"] = reason(error)
    return told


if __name__ == "__main__":
    # The folder of this file comes first there, and its modules are not what anybody means.
    here = os.path.dirname(os.path.realpath(__file__))
    sys.path[:] = [path for path in sys.path if os.path.realpath(path) != here]
    told = main(*sys.argv[1:])
    if told:
        sys.stdout.write(json.dumps(told) + "\n")
