"""The options, and what is printed and written when the rounds are done."""

import argparse
import json
import os
import platform
import shutil
import signal
import ssl
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn, TypeVar

from benchmarks.figures import (
    AIMS,
    METRIC,
    NEXT_AIMS,
    OURS,
    PROXY_AIMS,
    Results,
    advantage_over,
    middle,
    together,
    verdict,
)
from benchmarks.loads import LOADS, PROXY_LOADS, Target, missing_programs
from benchmarks.makers import GENERATE, RUN_TIMEOUT_S, RUNS, Maker, find_makers, generate
from benchmarks.peers import NPM_PACKAGES, find_all, install_npm
from benchmarks.picture import picture
from benchmarks.processes import BenchError, Strangers, output
from benchmarks.programs import ROOT, Peer
from benchmarks.proxies import find_proxies
from benchmarks.rounds import Plan, run
from benchmarks.table import aims, measured, table

WIDTH_IN_A_FILE = 100
MEASUREMENTS = (*LOADS, *PROXY_LOADS, GENERATE)

Program = TypeVar("Program", Peer, Maker)


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
    made.description = "Measures openssl-serve and its peers on this machine."
    made.add_argument("--peers", type=_names, metavar="A,B", help="only these (and ours)")
    known = ", ".join(MEASUREMENTS)
    made.add_argument("--metrics", type=_measurements, metavar="A,B", help=f"of {known}")
    made.add_argument("--quick", action="store_true", help="under a minute; rougher")
    made.add_argument("--rounds", type=_count, metavar="N", help="5, or 2 when quick")
    made.add_argument(
        "--seconds", type=_count, metavar="N", help="of each load: 3, or 1 when quick"
    )
    made.add_argument("--npm-folder", type=Path, metavar="DIR", help=".bench/node_modules")
    made.add_argument("--install-npm", action="store_true", help="fill that folder first")
    made.add_argument("--svg", type=Path, metavar="FILE", help="draw the servers into FILE")
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
    plan, proxy_plan = _plan(options, LOADS), _plan(options, PROXY_LOADS)
    known = find_all(npm_folder) if plan.loads else []
    proxies = find_proxies(npm_folder) if proxy_plan.loads else []
    makers = find_makers(npm_folder) if GENERATE in (options.metrics or MEASUREMENTS) else []
    names = [each.name for each in (*known, *proxies)] + [each.name for each in makers]
    _check_names(names, options.peers)
    peers = _choose(known, options.peers)
    proxies = _choose(proxies, options.peers)
    makers = _choose(makers, options.peers)
    # Each server has its turns, its starts, and time to be slow; whatever hangs ends all then.
    turn_s = len(plan.loads) * (plan.seconds + 10) + plan.starts * 5
    runs = len(makers) * (plan.rounds * RUNS + 1)
    proxied_s = len(proxies) * plan.rounds * len(proxy_plan.loads) * (plan.seconds + 10)
    signal.alarm(120 + len(peers) * plan.rounds * turn_s + proxied_s + runs * RUN_TIMEOUT_S)
    strangers = Strangers()
    results, targets = run(peers, plan, say) if peers else ({}, [])
    passed, more = run(proxies, proxy_plan, say) if proxies else ({}, [])
    made = generate(makers, plan.rounds, say) if makers else {}
    others = strangers.share()
    signal.alarm(0)
    everything = together(results, passed, made)
    targets += more

    shown = [target.peer for target in targets] + [each for each in makers if each.name in made]
    versions = {each.name: each.version for each in shown}
    how = _conditions(plan, others, f"of {plan.seconds} s" if targets else f"of {RUNS} runs")
    width = shutil.get_terminal_size((WIDTH_IN_A_FILE, 24)).columns
    words = [f"{', '.join(f'{name} {version}' for name, version in versions.items())}\n{how}"]
    words += [table(part, measured(part), width) for part in (results, passed, made) if part]
    if made:
        keys = ", ".join(f"{each.name} {each.key}" for each in makers if each.name in made)
        words[-1] += f"\n{RUNS} runs a round, each makes the key of its choice: {keys}"
    if OURS in everything:
        words += [
            f"1.50x: {OURS} is one and a half times as good, whatever the unit",
            aims(everything),
        ]
    sys.stdout.write("\n\n".join(words) + "\n")
    if options.svg:
        # What needs words to be understood is a matter for a table.
        panels = [
            metric
            for metric in measured(results)
            if metric.key not in ("connection-cpu", "keep-alive-p50")
        ]
        options.svg.write_text(picture(results, panels, how))
    if options.json:
        raw = {"other_work": others, **_raw(everything, targets, plan)}
        raw["makers"] = {
            each.name: {"version": each.version, "key": each.key, **_figures(made, each.name)}
            for each in makers
            if each.name in made
        }
        raw["aims"] = [verdict(aim, everything) for aim in (*AIMS, *PROXY_AIMS)]
        raw["next_aims"] = [verdict(aim, everything) for aim in NEXT_AIMS]
        options.json.write_text(json.dumps(raw, indent=2) + "\n")
    return 0 if OURS in everything else 1


def _conditions(plan: Plan, others: float | None, each: str) -> str:
    many = "" if plan.rounds == 1 else "s"
    how = f"{os.cpu_count()} CPUs; median of {plan.rounds} round{many} {each}"
    return how if others is None else f"{how}; other work took {others:.0%} of the CPU"


def _check_names(known: Sequence[str], wanted: list[str] | None) -> None:
    if strange := sorted(set(wanted or ()) - set(known)):
        names = ", ".join(dict.fromkeys(known))
        raise BenchError(f"no peer is called {', '.join(strange)}; known: {names}")


def _choose(known: Sequence[Program], wanted: list[str] | None) -> list[Program]:
    """Keep the peers that are asked for and here; say which are not."""
    chosen = []
    for peer in known:
        if wanted is not None and peer.name != OURS and peer.name not in wanted:
            continue
        if peer.version:
            chosen.append(peer)
        else:
            say(f"{peer.name} is not here{_hint(peer.name)}")
    return chosen


def _hint(name: str) -> str:
    if name in NPM_PACKAGES:
        return ": with node and npm, --install-npm fetches it"
    return ""


def _plan(options: argparse.Namespace, known: Iterable[str]) -> Plan:
    loads = [each for each in known if each in (options.metrics or MEASUREMENTS)]
    for load, program in missing_programs().items():
        if load in loads:
            say(f"{load} is not measured: no {program} in PATH")
            loads = [each for each in loads if each != load]
    rounds = options.rounds or (2 if options.quick else 5)
    seconds = options.seconds or (1 if options.quick else 3)
    return Plan(loads, rounds, seconds, starts=1 if options.quick else 3)


def _raw(results: Results, targets: Sequence[Target], plan: Plan) -> dict[str, object]:
    """Collect settings, and versions, rounds and ratios of the servers."""
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
                **_figures(results, target.peer.name),
                "details": target.details,
            }
            for target in targets
        },
    }


def _figures(results: Results, name: str) -> dict[str, object]:
    """Collect what was measured of one server or maker."""
    rounds = results[name]
    return {
        "rounds": rounds,
        "median": {key: middle(each) for key, each in rounds.items()},
        "times_better": {key: advantage_over(results, METRIC[key], name) for key in rounds},
    }


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text} is no number above 0")
    return int(text)


def _measurements(text: str) -> list[str]:
    names = _names(text)
    if strange := sorted(set(names) - set(MEASUREMENTS)):
        message = f"no metric is called {', '.join(strange)}; known: {', '.join(MEASUREMENTS)}"
        raise argparse.ArgumentTypeError(message)
    return [each for each in MEASUREMENTS if each in names]


def _stop(number: int, _: FrameType | None) -> NoReturn:
    """Leave through all contexts, so that every server is stopped and the folder removed."""
    if number == signal.SIGALRM:
        say("error: took far longer than planned")
    sys.exit(128 + number)
