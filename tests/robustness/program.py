"""A server with limits that the command line does not offer; a process of its own.

`program.py FOLDER CERT KEY LIMITS` serves on a free port with the JSON object LIMITS for those
that differ, and says where, as the command does. With `"on_demand": true` in it each ClientHello is
looked at before the handshake, as where certificates are made for names that are asked for.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

from openssl_serve import api


def main():
    root, cert, key, words = sys.argv[1:]
    limits = json.loads(words)
    on_demand = limits.pop("on_demand", False)
    with api.make_server(
        Path(root),
        api.load_certificate(Path(cert), Path(key)),
        api.ServerOptions(
            address=api.Address("127.0.0.1", 0),
            plain_http=api.PlainHttp.SERVE,
            limits=replace(api.Limits(), **limits),
        ),
        write_log=sys.stderr.write,
    ) as server:
        server.contexts.on_demand = on_demand
        api.serve_until_signal(
            server, lambda: print(f"https://127.0.0.1:{server.address.port}/", flush=True)
        )


if __name__ == "__main__":
    main()
