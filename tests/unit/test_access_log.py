import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openssl_serve.server.access_log import Access, AccessLog, LogFormat

LINE = Access("192.0.2.1", True, b"GET", b"/a?b=%20", "1.1", 200, 1234, 0.00123)


def logged(style, *calls):
    written: list[str] = []
    log = AccessLog(written.append, style)
    for call in calls:
        call(log)
    log.flush()
    return written


def test_a_request_is_one_line():
    (text,) = logged(LogFormat.TEXT, lambda log: log.access(LINE))

    assert re.fullmatch(
        r"\d\d:\d\d:\d\d 192\.0\.2\.1 https GET /a\?b=%20 200 1234 B 1\.2 ms\n", text
    )


def test_what_a_thread_says_while_lines_are_written_is_in_the_next():
    written: list[str] = []
    log = AccessLog(written.append)

    class Interrupted(list[str]):
        """Another thread's turn is always just before something goes."""

        def clear(self):
            log.note("late")
            super().clear()

        def __delitem__(self, which):
            log.note("late")
            super().__delitem__(which)

    log._lines = Interrupted()
    log.note("early")
    log.flush()
    log._lines = list(log._lines)
    log.flush()

    assert [text.split()[-1] for text in written] == ["early", "late"]


def test_a_request_is_one_object():
    (text,) = logged(LogFormat.JSON, lambda log: log.access(LINE))

    assert text.count("\n") == 1
    record = json.loads(text)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4}", record.pop("time"))
    assert record == {
        "client": "192.0.2.1", "secure": True, "method": "GET", "target": "/a?b=%20",
        "version": "1.1", "status": 200, "length": 1234, "seconds": 0.00123, "cut": False,
    }  # fmt: skip


@pytest.mark.parametrize(("status", "code"), [(204, 32), (304, 36), (404, 33), (500, 31)])
def test_a_terminal_sees_the_class_of_a_status(status, code):
    written: list[str] = []
    log = AccessLog(written.append, colour=True)
    log.access(LINE._replace(status=status))
    log.flush()

    assert f" \x1b[{code}m{status}\x1b[0m 1234 B " in written[0]


def test_the_common_format_is_apaches():
    (text,) = logged(LogFormat.COMMON, lambda log: log.access(LINE))

    stamp = r"\[\d\d/[A-Z][a-z][a-z]/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\]"
    assert re.fullmatch(rf'192\.0\.2\.1 - - {stamp} "GET /a\?b=%20 HTTP/1\.1" 200 1234\n', text)


def test_what_was_cut_off_is_said_to_be():
    (text,) = logged(LogFormat.TEXT, lambda log: log.access(LINE._replace(cut=True)))

    assert text.endswith(" 200 1234 B cut off 1.2 ms\n")


@pytest.mark.parametrize("style", [LogFormat.TEXT, LogFormat.COMMON])
def test_what_got_no_response_has_no_status(style):
    (text,) = logged(style, lambda log: log.access(LINE._replace(status=0, length=0, cut=True)))

    end = {LogFormat.TEXT: "%20 - 0 B cut off 1.2 ms\n", LogFormat.COMMON: 'HTTP/1.1" - -\n'}
    assert text.endswith(end[style])


def test_no_target_ends_the_quotes_that_it_stands_in():
    """As Apache writes it; or a target could say what the status was."""
    access = LINE._replace(target=b'/a"?\\"b')
    (text,) = logged(LogFormat.COMMON, lambda log: log.access(access))

    assert r' "GET /a\"?\\\"b HTTP/1.1" 200 ' in text


def test_no_request_is_logged_when_none_are_wanted():
    assert logged(LogFormat.NONE, lambda log: log.access(LINE)) == []
    assert len(logged(LogFormat.NONE, lambda log: log.note("important"))) == 1


def test_a_client_of_a_unix_socket_has_a_name():
    (text,) = logged(LogFormat.TEXT, lambda log: log.access(LINE._replace(client="")))

    assert " unix https " in text


def test_lines_are_written_together_and_once():
    written: list[str] = []
    log = AccessLog(written.append)
    log.flush()
    for _ in range(3):
        log.access(LINE)
    assert written == []
    log.flush()
    log.flush()

    assert [text.count("\n") for text in written] == [3]


@pytest.mark.parametrize("style", [LogFormat.TEXT, LogFormat.JSON])
@given(st.text())
def test_a_note_is_one_line_whatever_a_client_sent(style, message):
    """CVE-2020-7694: a control sequence in the log is run by the terminal."""
    (text,) = logged(style, lambda log: log.note(message))

    assert text.endswith("\n")
    assert text[:-1].isprintable()


@pytest.mark.parametrize("error", [OSError(28, "full"), BrokenPipeError(), ValueError("closed")])
def test_a_log_that_cannot_be_written_is_dropped(error):
    def fail(_text):
        raise error

    log = AccessLog(fail)
    log.access(LINE)
    log.flush()
    log.flush()
