"""Entries of a folder: names and times, as they are written."""

from openssl_serve.handlers.entries import shown, utc


def test_no_override_hides_an_extension():
    assert shown("photo\u202egpj.exe".encode()) == "photo\ufffdgpj.exe"


def test_times_beyond_the_calendar_are_no_fault():
    assert utc(1e30) == "9999-12-31T23:59:59Z"
    assert utc(-1e30) == "0001-01-01T00:00:00Z"
