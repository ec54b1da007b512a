"""What is measured, how figures of several rounds become one, and what is aimed at.

Pure: no clock, no process, no terminal. A failed measurement is None, and everything here takes
that as an answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

OURS = "openssl-serve"

Rounds = Sequence[float | None]
Results = Mapping[str, Mapping[str, Rounds]]
"""Server or maker, then metric, then one figure a round."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One row of the table."""

    key: str
    label: str
    higher_is_better: bool = True
    digits: int = 0


METRICS = (
    Metric("keep-alive", "keep-alive TLS, requests/s"),
    Metric("keep-alive-p50", "half of them within, ms", higher_is_better=False, digits=2),
    Metric("keep-alive-p99", "99 % of them within, ms", higher_is_better=False, digits=2),
    Metric("connections", "new TLS connections/s"),
    Metric("connection-cpu", "server CPU for one, ms", higher_is_better=False, digits=3),
    Metric("redirects", "plain-HTTP redirects/s"),
    Metric("download", "100 MB over TLS, MB/s"),
    Metric("stuck", "p99 beside 2,500 stuck, ms", higher_is_better=False, digits=1),
    Metric("idle", "an idle TLS connection, KB", higher_is_better=False, digits=1),
    Metric("start", "start to response, ms", higher_is_better=False, digits=1),
    Metric("memory", "memory at peak, MB", higher_is_better=False, digits=1),
    Metric("proxied", "through a proxy, requests/s"),
    Metric("proxied-p99", "99 % of them within, ms", higher_is_better=False, digits=2),
    Metric("proxied-download", "100 MB through it, MB/s"),
    Metric("added", "what it adds to one request, ms", higher_is_better=False, digits=3),
    Metric("generate", "generate, whole process, ms", higher_is_better=False, digits=1),
)
METRIC = {metric.key: metric for metric in METRICS}


@dataclass(frozen=True, slots=True)
class Aim:
    """That our figure be at least `ratio` times as good as the peer's."""

    metric: str
    peer: str
    ratio: float

    def __str__(self) -> str:
        if METRIC[self.metric].higher_is_better:
            return f"{METRIC[self.metric].label} >= {self.ratio:g} x {self.peer}"
        return f"{METRIC[self.metric].label} <= {1 / self.ratio:g} x {self.peer}"


AIMS = (
    Aim("keep-alive", "caddy", 1.5),
    Aim("keep-alive", "nginx", 0.7),
    Aim("connections", "nginx", 0.8),
    Aim("start", "caddy", 0.5),
    Aim("generate", "pem", 2),
)

MAX_ADDED_MS = 0.3
"""What our proxy may add to one request over one connection."""

PROXY_AIMS = (
    Aim("proxied", "caddy", 1),
    Aim("proxied", "local-ssl-proxy", 10),
    Aim("proxied-download", "caddy", 0.8),
)

NEXT_AIMS = (
    Aim("keep-alive", "caddy", 1.8),
    Aim("keep-alive", "nginx", 0.8),
    Aim("connections", "nginx", 0.9),
    Aim("redirects", "nginx", 0.8),
    Aim("download", "caddy", 0.9),
)


def middle(rounds: Rounds) -> float | None:
    """Give the median of the rounds that succeeded; None if there is none."""
    good = [figure for figure in rounds if figure is not None]
    return median(good) if good else None


def advantage(metric: Metric, ours: Rounds, theirs: Rounds) -> float | None:
    """Say how many times as good *ours* is as *theirs*: above 1 is better, whatever the metric.

    The median of the ratios within each round, not the ratio of the medians: what else the
    machine does comes and goes over minutes, and meets both sides of a round alike.
    """
    ratios = [
        mine / other if metric.higher_is_better else other / mine
        for mine, other in zip(ours, theirs, strict=False)
        if mine and other
    ]
    return median(ratios) if ratios else None


def advantage_over(results: Results, metric: Metric, peer: str) -> float | None:
    """Say how many times as good we are as *peer*; None where either was not measured."""
    ours = results.get(OURS, {}).get(metric.key, ())
    return advantage(metric, ours, results.get(peer, {}).get(metric.key, ()))


def together(*parts: Results) -> dict[str, dict[str, Rounds]]:
    """Put results of different metrics side by side."""
    names = dict.fromkeys(name for part in parts for name in part)
    return {
        name: {key: each for part in parts for key, each in part.get(name, {}).items()}
        for name in names
    }


def added_verdict(results: Results) -> str:
    """Say in one line whether our proxy adds no more than it may."""
    added = middle(results.get(OURS, {}).get("added", ()))
    what = f"{METRIC['added'].label} <= {MAX_ADDED_MS:g}"
    if added is None:
        return f"not measured  {what}"
    return f"{'met' if added <= MAX_ADDED_MS else 'missed':<12}  {what}: {added:.3f}"


def verdict(aim: Aim, results: Results) -> str:
    """Say in one line whether *aim* was met, and by how much it was missed."""
    reached = advantage_over(results, METRIC[aim.metric], aim.peer)
    if reached is None:
        return f"not measured  {aim}"
    word = "met" if reached >= aim.ratio else "missed"
    shown = reached if METRIC[aim.metric].higher_is_better else 1 / reached
    return f"{word:<12}  {aim}: {shown:.2f} x"
