"""The options, and what is printed and written when the rounds are done."""

import argparse
import json
import os
import platform
import shutil
import signal
import ssl
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

from benchmarks.figures import (
    AIMS,
    METRIC,
    NEXT_AIMS,
    OURS,
    Results,
    advantage_over,
    middle,
    verdict,
)
from benchmarks.loads import LOADS, Target, missing_programs
from benchmarks.peers import ROOT, Peer, find_all, install_npm
from benchmarks.picture import picture
from benchmarks.processes import BenchError, Strangers, output
from benchmarks.rounds import Plan, run
from benchmarks.table import aims, measured, table

WIDTH_IN_A_FILE = 100


def main() -> int:
    """Measure and report; 0 if our own server could be measured, whatever the figures."""
    options = parser().parse_args()
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGALRM, _stop)
    try:
        return _bench(options)
    except BenchError as error:
        say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        return 130


def parser() -> argparse.ArgumentParser:
    """Describe the options."""
    made = argparse.ArgumentParser(prog="scripts/bench", description=main.__doc__)
    made.description = "Measures openssl-serve and its peers on this machine, one table."
    made.add_argument("--peers", type=_names, metavar="A,B", help="only these (and ours)")
    made.add_argument("--metrics", type=_loads, metavar="A,B", help=f"of {', '.join(LOADS)}")
    made.add_argument("--quick", action="store_true", help="under a minute; rougher")
    made.add_argument("--rounds", type=_count, metavar="N", help="5, or 2 when quick")
    made.add_argument(
        "--seconds", type=_count, metavar="N", help="of each load: 3, or 1 when quick"
    )
    made.add_argument("--npm-folder", type=Path, metavar="DIR", help=".bench/node_modules")
    made.add_argument("--install-npm", action="store_true", help="fill that folder first")
    made.add_argument("--svg", type=Path, metavar="FILE", help="draw the figures into FILE")
    made.add_argument("--json", type=Path, metavar="FILE", help="write all rounds to FILE")
    return made


def say(words: str) -> None:
    """Tell what goes on; the results alone go to standard output."""
    sys.stderr.write(f"bench: {words}\n")
    sys.stderr.flush()


def _bench(options: argparse.Namespace) -> int:
    npm_folder = options.npm_folder or ROOT / ".bench" / "node_modules"
    if options.install_npm:
        install_npm(npm_folder)
    peers = _choose(find_all(npm_folder), options.peers)
    plan = _plan(options)
    # Each server has its turns, its starts, and time to be slow; whatever hangs ends all then.
    turn_s = len(plan.loads) * (plan.seconds + 10) + plan.starts * 5
    signal.alarm(120 + len(peers) * plan.rounds * turn_s)
    strangers = Strangers()
    results, targets = run(peers, plan, say)
    others = strangers.share()
    signal.alarm(0)

    rows = measured(results)
    width = shutil.get_terminal_size((WIDTH_IN_A_FILE, 24)).columns
    versions = ", ".join(f"{target.peer.name} {target.peer.version}" for target in targets)
    many = "" if plan.rounds == 1 else "s"
    how = f"{os.cpu_count()} CPUs; median of {plan.rounds} round{many} of {plan.seconds} s"
    if others is not None:
        how += f"; other work took {others:.0%} of the CPU"
    words = [
        f"{versions}\n{how}",
        table(results, rows, width),
    ]
    if OURS in results:
        words += [
            f"1.50x: {OURS} is one and a half times as good, whatever the unit",
            aims(results),
        ]
    sys.stdout.write("\n\n".join(words) + "\n")
    if options.svg:
        # What needs words to be understood is a matter for a table.
        panels = [
            metric for metric in rows if metric.key not in ("connection-cpu", "keep-alive-p50")
        ]
        options.svg.write_text(picture(results, panels, how))
    if options.json:
        raw = {"other_work": others, **_raw(results, targets, plan)}
        options.json.write_text(json.dumps(raw, indent=2) + "\n")
    return 0 if OURS in results else 1


def _choose(known: Sequence[Peer], wanted: list[str] | None) -> list[Peer]:
    """Keep the servers that are asked for and here; say which are not."""
    names = [peer.name for peer in known]
    if strange := sorted(set(wanted or ()) - set(names)):
        raise BenchError(f"no peer is called {', '.join(strange)}; known: {', '.join(names)}")
    chosen = []
    for peer in known:
        if wanted is not None and peer.name not in {OURS, *wanted}:
            continue
        if peer.version:
            chosen.append(peer)
        else:
            say(f"{peer.name} is not here{_hint(peer.name)}")
    return chosen


def _hint(name: str) -> str:
    if name in {"http-server", "httpolyglot"}:
        return ": with node and npm, --install-npm fetches it"
    return ""


def _plan(options: argparse.Namespace) -> Plan:
    loads = options.metrics or list(LOADS)
    for load, program in missing_programs().items():
        if load in loads:
            say(f"{load} is not measured: no {program} in PATH")
            loads = [each for each in loads if each != load]
    rounds = options.rounds or (2 if options.quick else 5)
    seconds = options.seconds or (1 if options.quick else 3)
    return Plan(loads, rounds, seconds, starts=1 if options.quick else 3)


def _raw(results: Results, targets: Sequence[Target], plan: Plan) -> dict[str, object]:
    """Collect everything for a file: settings, versions, each round, ratios, aims."""
    return {
        "machine": {
            "cpus": os.cpu_count(),
            "system": platform.platform(),
            "python": platform.python_version(),
            "openssl": ssl.OPENSSL_VERSION,
            "openssl_program": output(["openssl", "version"]).strip(),
        },
        "plan": {"rounds": plan.rounds, "seconds": plan.seconds, "starts": plan.starts},
        "servers": {
            target.peer.name: {
                "version": target.peer.version,
                "rounds": results[target.peer.name],
                "median": {
                    key: middle(rounds) for key, rounds in results[target.peer.name].items()
                },
                "times_better": {
                    key: advantage_over(results, METRIC[key], target.peer.name)
                    for key in results[target.peer.name]
                },
                "details": target.details,
            }
            for target in targets
        },
        "aims": [verdict(aim, results) for aim in AIMS],
        "next_aims": [verdict(aim, results) for aim in NEXT_AIMS],
    }


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text} is no number above 0")
    return int(text)


def _loads(text: str) -> list[str]:
    names = _names(text)
    if strange := sorted(set(names) - set(LOADS)):
        message = f"no metric is called {', '.join(strange)}; known: {', '.join(LOADS)}"
        raise argparse.ArgumentTypeError(message)
    return [load for load in LOADS if load in names]


def _stop(number: int, _: FrameType | None) -> NoReturn:
    """Leave through all contexts, so that every server is stopped and the folder removed."""
    if number == signal.SIGALRM:
        say("error: took far longer than planned")
    sys.exit(128 + number)
