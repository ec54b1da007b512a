"""Making a certificate, ours beside npm `pem`: neither is a server, each run is a whole process.

Each makes what it makes unasked: ours a P-256 pair, `pem` an RSA 2048 one. That difference is part
of what is measured, as it is what their users wait for.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.figures import OURS
from benchmarks.processes import BenchError, Word, output, timed
from benchmarks.programs import node_program, npm_version, our_program
from benchmarks.rounds import Figures, Say, Workspace

GENERATE = "generate"
"""The name of the measurement, and the key of its only metric."""

RUNS = 7
"""Of each maker in a round, taking turns; the figure is their median, as RSA takes luck."""

RUN_TIMEOUT_S = 10


@dataclass(frozen=True, slots=True)
class Maker:
    """A program that makes a certificate; `version` is empty if it is not here."""

    name: str
    version: str
    key: str
    """What key its certificates must have, as `read_key` calls it."""
    command: Callable[["Run"], list[Word]]
    certificate: Callable[["Run"], Path]
    """Finds the certificate that was made; BenchError if there is none."""


@dataclass(frozen=True, slots=True)
class Run:
    """The place of one run: `home` is an empty folder, `log` gets all that is printed."""

    scratch: Path

    @property
    def home(self) -> Path:
        """Where certificates are kept."""
        return self.scratch / "home"

    @property
    def log(self) -> Path:
        """What the program said."""
        return self.scratch / "output.log"

    @property
    def environment(self) -> dict[str, str]:
        """Keep everything in here, temporary files included."""
        homes = ("OPENSSL_SERVE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")
        return {**dict.fromkeys(homes, str(self.home)), "TMPDIR": str(self.scratch)}


def find_makers(npm_folder: Path) -> list[Maker]:
    """Describe ours and `pem`, found or not."""
    return [openssl_serve(), pem(node_program(), npm_folder)]


# --- openssl-serve


def openssl_serve() -> Maker:
    """Find ours, as installed into the checkout's environment."""
    program, version = our_program()

    def certificate(run: Run) -> Path:
        found = list(run.home.glob("*.crt"))
        if len(found) != 1 or not found[0].with_suffix(".key").is_file():
            raise BenchError("no pair was made")
        return found[0]

    return Maker(OURS, version, "P-256", lambda _: [program, "generate", "bench.test"], certificate)


# --- pem

PEM = """\
require(process.argv[2]).createCertificate({ days: 365, selfSigned: true }, (error, pair) => {
  if (error) throw error;
  console.log(pair.certificate);
});
"""


def pem(node: str, npm_folder: Path) -> Maker:
    """Find the npm package; it is a library, and prints what it made through a one-liner."""
    package = npm_folder / "pem"

    def command(run: Run) -> list[Word]:
        script = run.scratch / "make.js"
        script.write_text(PEM)
        return [node, script, package.resolve()]

    return Maker("pem", npm_version(node, package), "RSA 2048", command, lambda run: run.log)


# --- measuring them


def generate(makers: Sequence[Maker], rounds: int, say: Say) -> Figures:
    """Measure all *makers*; one that fails is said so, and has no figures or None for one."""
    figures: Figures = {}
    with Workspace() as workspace:
        able = []
        for maker in makers:
            try:
                _once(maker, workspace.folder / f"{maker.name}-warm")
            except (BenchError, OSError) as error:
                say(f"{maker.name} is left out: {error}")
            else:
                able.append(maker)
                figures[maker.name] = {GENERATE: []}
        for turn in range(rounds):
            say(f"{GENERATE}, round {turn + 1} of {rounds}")
            for name, figure in _round(able, workspace.folder, turn, say).items():
                figures[name][GENERATE].append(figure)
    return figures


def _round(makers: list[Maker], folder: Path, turn: int, say: Say) -> dict[str, float | None]:
    """Run each maker RUNS times, in turns whose order moves on; one failure spoils the round."""
    taken: dict[str, list[float]] = {maker.name: [] for maker in makers}
    failed = set()
    for run in range(RUNS):
        first = (turn + run) % max(len(makers), 1)
        for maker in makers[first:] + makers[:first]:
            try:
                milliseconds = _once(maker, folder / f"{maker.name}-{turn}-{run}")
            except (BenchError, OSError) as error:
                say(f"{maker.name}, {GENERATE}: {error}")
                failed.add(maker.name)
            else:
                taken[maker.name].append(milliseconds)
    return {name: None if name in failed else median(each) for name, each in taken.items()}


def _once(maker: Maker, scratch: Path) -> float:
    """Make a certificate in a new folder, and look at it; give the milliseconds it took."""
    run = Run(scratch)
    run.home.mkdir(parents=True)
    milliseconds = timed(maker.command(run), run.log, run.environment)
    said = output(["openssl", "x509", "-in", maker.certificate(run), "-noout", "-text"])
    if (key := read_key(said)) != maker.key:
        raise BenchError(f"the certificate has a key of {key}, not {maker.key}")
    return milliseconds


def read_key(said: str) -> str:
    """Read what key a certificate has from `openssl x509 -text`: P-256, RSA 2048, or unknown."""
    if curve := re.search(r"NIST CURVE: (\S+)", said):
        return curve[1]
    size = re.search(r"Public-Key: \((\d+) bit", said)
    if size and "Public Key Algorithm: rsaEncryption" in said:
        return f"RSA {size[1]}"
    return "unknown kind"
