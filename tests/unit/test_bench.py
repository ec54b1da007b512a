"""The pure parts of scripts/bench: figures, table, reading wrk, and processes that must end."""

import importlib
import re
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
figures = importlib.import_module("benchmarks.figures")
loads = importlib.import_module("benchmarks.loads")
makers = importlib.import_module("benchmarks.makers")
pictures = importlib.import_module("benchmarks.picture")
processes = importlib.import_module("benchmarks.processes")
tables = importlib.import_module("benchmarks.table")
sys.path.pop(0)

RESULTS = {
    "openssl-serve": {"keep-alive": [45000.0, 47000.0, 46000.0], "start": [80.0], "memory": [30.0]},
    "nginx": {"keep-alive": [50000.0, 60000.0, 55000.0], "start": [20.0], "memory": [None]},
    "caddy": {"keep-alive": [23000.0, 24000.0, 22000.0], "start": [100.0]},
}


@pytest.mark.parametrize(
    ("rounds", "median"),
    [((), None), ((None,), None), ((3.0,), 3.0), ((9.0, None, 1.0, 2.0), 2.0)],
)
def test_the_median_is_of_the_rounds_that_succeeded(rounds, median):
    assert figures.middle(rounds) == median


def test_above_one_is_better_whatever_the_metric():
    assert figures.advantage(figures.METRIC["keep-alive"], [300.0], [100.0]) == 3.0
    assert figures.advantage(figures.METRIC["start"], [300.0], [900.0]) == 3.0


def test_ratios_are_taken_within_a_round():
    # A machine that was half as fast in the second round leaves each ratio at 2.
    ours, theirs = [200.0, 100.0, None], [100.0, 50.0, 80.0]

    assert figures.advantage(figures.METRIC["download"], ours, theirs) == 2.0


@pytest.mark.parametrize("theirs", [(), (None,), (0.0,)])
def test_no_ratio_without_both_figures(theirs):
    assert figures.advantage(figures.METRIC["download"], [1.0], theirs) is None


@pytest.mark.parametrize(
    ("aim", "line"),
    [
        (("keep-alive", "caddy", 1.5), "met .*keep-alive TLS, requests/s >= 1.5 x caddy: 1.96 x"),
        (("keep-alive", "nginx", 0.9), "missed .*>= 0.9 x nginx: 0.84 x"),
        (("start", "caddy", 0.5), "met .*start to response, ms <= 2 x caddy: 0.80 x"),
        (("start", "nginx", 0.5), "missed .*<= 2 x nginx: 4.00 x"),
        (("download", "nginx", 0.5), "not measured .*>= 0.5 x nginx$"),
    ],
)
def test_an_aim_is_met_missed_or_not_measured(aim, line):
    assert re.match(line, figures.verdict(figures.Aim(*aim), RESULTS))


def test_every_aim_names_a_metric():
    aims = (*figures.AIMS, *figures.PROXY_AIMS, *figures.NEXT_AIMS)

    assert {aim.metric for aim in aims} <= set(figures.METRIC)


def test_every_metric_is_given_by_a_load_and_every_load_gives_metrics():
    given = {key for load in (loads.LOADS | loads.PROXY_LOADS).values() for key in load.keys}

    assert given | {"memory", makers.GENERATE} == set(figures.METRIC)


def test_an_aim_beside_a_maker_is_read_from_both_results():
    made = {"openssl-serve": {"generate": [150.0, 160.0]}, "pem": {"generate": [400.0, 400.0]}}

    merged = figures.together(RESULTS, made)

    assert figures.verdict(figures.Aim("generate", "pem", 2), merged).endswith(
        "generate, whole process, ms <= 0.5 x pem: 0.39 x"
    )
    assert merged["openssl-serve"]["start"] == [80.0]
    assert list(merged) == ["openssl-serve", "nginx", "caddy", "pem"]


def test_results_of_makers_are_a_table_of_their_own():
    made = {"openssl-serve": {"generate": [150.0]}, "pem": {"generate": [None]}}

    assert tables.table(made, tables.measured(made), 100).splitlines() == [
        "                             openssl-serve  pem",
        "-----------------------------------------------",
        "generate, whole process, ms          150.0   -",
    ]


@pytest.mark.parametrize(
    ("said", "key"),
    [
        (
            "Public Key Algorithm: id-ecPublicKey\n   Public-Key: (256 bit)\n  NIST CURVE: P-256\n",
            "P-256",
        ),
        ("Public Key Algorithm: rsaEncryption\n    Public-Key: (2048 bit)\n", "RSA 2048"),
        ("Public Key Algorithm: rsaEncryption\n    RSA Public-Key: (3072 bit)\n", "RSA 3072"),
        ("Public Key Algorithm: ED25519\n    ED25519 Public-Key:\n", "unknown kind"),
        ("", "unknown kind"),
    ],
)
def test_the_key_of_a_certificate_is_read(said, key):
    assert makers.read_key(said) == key


def _maker(name, script, key="P-256", certificate=lambda run: run.log):
    return makers.Maker(name, "1", key, lambda _: ["sh", "-c", script], certificate)


@pytest.mark.parametrize(
    ("maker", "reason"),
    [
        (_maker("a", "echo no entropy >&2; exit 3"), "status 3: no entropy"),
        (_maker("a", "echo nothing"), "openssl failed"),
        (makers.Maker("a", "1", "", lambda _: ["true"], makers.openssl_serve().certificate),
         "no pair was made"),
    ],
)  # fmt: skip
def test_a_maker_that_makes_nothing_is_left_out(maker, reason):
    said: list[str] = []

    assert makers.generate([maker], 1, said.append) == {}
    assert any(f"a is left out: {reason}" in line for line in said)


def test_makers_take_turns_in_new_folders(monkeypatch):
    taken = []

    def once(maker, scratch):
        taken.append((maker.name, scratch.name))
        if maker.name == "b" and scratch.name.startswith("b-1"):
            raise processes.BenchError("out of luck")
        return 10.0

    monkeypatch.setattr(makers, "_once", once)

    results = makers.generate([_maker("a", ""), _maker("b", "")], 2, lambda _: None)

    assert results == {"a": {"generate": [10.0, 10.0]}, "b": {"generate": [10.0, None]}}
    assert "".join(name for name, _ in taken) == "ab" + "abbaabbaabbaab" + "baabbaabbaabba"
    assert len({folder for _, folder in taken}) == len(taken)


def test_the_table_has_ours_first_and_ratios_beside_the_peers():
    metrics = tables.measured(RESULTS)

    assert tables.table(RESULTS, metrics, 100).splitlines() == [
        "                            openssl-serve         nginx         caddy",
        "---------------------------------------------------------------------",
        "keep-alive TLS, requests/s         46,000  55,000 0.84x  23,000 1.96x",
        "start to response, ms                80.0    20.0 0.25x   100.0 1.25x",
        "memory at peak, MB                   30.0       -             -",
    ]


@pytest.mark.parametrize("width", [20, 60, 70, 200])
def test_a_narrow_table_is_broken_between_peers(width):
    metrics = tables.measured(RESULTS)

    blocks = tables.table(RESULTS, metrics, width).split("\n\n")

    assert len(blocks) == (1 if width >= 70 else 2)
    assert all("openssl-serve" in block.splitlines()[0] for block in blocks)


def test_without_ours_the_peers_stand_alone():
    peers = {name: rounds for name, rounds in RESULTS.items() if name != "openssl-serve"}

    drawn = tables.table(peers, tables.measured(peers), 100)

    assert "x" not in drawn.replace("nginx", "")
    assert "55,000" in drawn


def test_the_picture_is_xml_with_a_bar_for_each_figure():
    drawn = ET.fromstring(pictures.picture(RESULTS, tables.measured(RESULTS), "a < b"))
    bars = [each.get("class") for each in drawn.iter("{http://www.w3.org/2000/svg}rect")]

    assert bars.count("bar ours") == 3
    assert bars.count("bar") == 4


def test_wrk_is_read():
    said = (
        "  Latency Distribution\n     50%    1.20ms\n     99%  980.00us\n"
        "  300 requests in 3.00s, 1.00MB read\n"
        "  Socket errors: connect 0, read 2, write 0, timeout 1\n"
        "Requests/sec:    100.00\n"
    )

    assert loads.read_wrk(said) == {
        "requests": 300,
        "requests_per_s": 100,
        "p50_ms": 1.2,
        "p99_ms": 0.98,
        "socket_errors": 3,
    }


@pytest.mark.parametrize(
    "said",
    [
        "",
        "  0 requests in 3.00s, 0.00B read\nRequests/sec:      0.00\n",
        "  9 requests in 3.00s\n  Non-2xx or 3xx responses: 9\nRequests/sec:      3.00\n",
    ],
)
def test_answers_that_are_errors_give_no_figure(said):
    with pytest.raises(processes.BenchError):
        loads.read_wrk(said)


def test_a_server_and_its_children_end_with_the_context(tmp_path):
    # The shell leaves its child behind when it is told to end.
    script = "sleep 50 & echo $!; wait"

    with processes.Server(["sh", "-c", script], tmp_path / "log", {}) as server:
        while not server.log.read_text().strip():
            server.check_alive()
        pid = server._process.pid
        family = processes.tree(pid)

    assert not any(processes._is_running(each, session=pid) for each in family)


def test_a_server_that_ends_at_once_is_quoted(tmp_path):
    command = ["sh", "-c", "echo cannot bind >&2; exit 6"]

    with processes.Server(command, tmp_path / "log", {}) as server:
        server._process.wait()
        with pytest.raises(processes.BenchError, match="status 6: cannot bind"):
            server.check_alive()


def test_a_program_is_timed_to_its_end(tmp_path):
    took = processes.timed(["sh", "-c", "sleep 0.1; echo $PLACE"], tmp_path / "log", {"PLACE": "x"})

    assert 100 <= took < 5000
    assert (tmp_path / "log").read_text() == "x\n"


def test_work_of_others_is_a_share():
    share = processes.Strangers().share()

    assert share is None or 0 <= share <= 1


def test_a_load_that_hangs_is_ended():
    with pytest.raises(processes.BenchError, match="no result"):
        processes.run_load(["sleep", "50"], 0.1, lambda: None)
