"""Has redbot examine resources: names, URLs and fields as JSON in, what it notes as JSON out.

A program of its own, since the loop of redbot's HTTP client is one for a whole process.
"""

import json
import sys
from configparser import ConfigParser, SectionProxy

import thor
from redbot.resource import HttpResource


def main() -> None:
    """Examine all that stdin names, at once; write to stdout when the last is done."""
    settings = ConfigParser()
    settings.read_dict({"redbot": {"enable_local_access": "yes"}})
    wanted = json.load(sys.stdin)
    found: dict[str, object] = {}
    for name, (url, fields) in wanted.items():
        _examine(settings["redbot"], name, url, fields, found, len(wanted))
    thor.run()
    json.dump(found, sys.stdout)


def _examine(
    settings: SectionProxy,
    name: str,
    url: str,
    fields: list[tuple[str, str]],
    found: dict[str, object],
    count: int,
) -> None:
    resource = HttpResource(settings)
    resource.set_request(url, headers=fields)

    def done() -> None:
        found[name] = {
            "status": resource.response.status_code,
            "error": str(resource.fetch_error or ""),
            "able": {
                "If-None-Match": resource.inm_support,
                "If-Modified-Since": resource.ims_support,
                "Range": resource.partial_support,
                "gzip": resource.gzip_support,
            },
            "notes": [[note.level.name, str(note.summary)] for note in resource.response.notes],
        }
        if len(found) == count:
            thor.stop()

    resource.on("check_done", done)
    resource.check()


if __name__ == "__main__":
    main()
