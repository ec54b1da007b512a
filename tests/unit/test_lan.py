"""What this machine is called by its network."""

import socket
from typing import ClassVar

import pytest

from openssl_serve.hosts import Host
from openssl_serve.server import lan


class Probe(socket.socket):
    """A datagram socket of a machine whose addresses the test chooses."""

    here: ClassVar[dict[int, str]] = {}

    def connect(self, address):
        if self.family not in self.here:
            raise OSError("network is unreachable")

    def getsockname(self):
        return (self.here[self.family], 1)


@pytest.fixture
def machine(monkeypatch):
    def become(hostname, **addresses):
        families = {"v4": socket.AF_INET, "v6": socket.AF_INET6}
        Probe.here = {families[name]: address for name, address in addresses.items()}
        monkeypatch.setattr("openssl_serve.server.lan.socket.socket", Probe)
        monkeypatch.setattr("openssl_serve.server.lan.socket.gethostname", lambda: hostname)

    return become


def test_both_addresses_and_the_mdns_name(machine):
    machine("Annas-Laptop.home.example", v4="192.168.1.7", v6="fd00::7")

    assert list(map(str, lan.lan_hosts())) == ["192.168.1.7", "fd00::7", "annas-laptop.local"]


def test_nothing_without_a_network(machine):
    machine("laptop")

    assert lan.lan_hosts() == []


def test_loopback_and_link_local_addresses_are_nobody_elses(machine):
    machine("laptop", v4="127.0.0.1", v6="fe80::1%eth0")

    assert lan.lan_hosts() == []


def test_a_host_name_that_is_none_is_left_out(machine):
    machine("-", v4="10.0.0.1")

    (host,) = lan.lan_hosts()
    assert isinstance(host, Host)
    assert host.is_ip


@pytest.mark.parametrize(("dual", "expected"), [(True, "::"), (False, "0.0.0.0")])
def test_both_families_where_the_machine_has_both(monkeypatch, dual, expected):
    monkeypatch.setattr("openssl_serve.server.lan.socket.has_dualstack_ipv6", lambda: dual)

    assert lan.any_address() == expected
