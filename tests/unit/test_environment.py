"""What the command finds in its environment."""

import pytest

from openssl_serve.addresses import Address
from openssl_serve.child.environment import listening_variables, public_variables, without_ours

ADDRESS = Address("127.0.0.1", 4567)


def test_every_framework_that_reads_variables_is_told_where_to_listen():
    assert listening_variables(ADDRESS, {}) == {
        "HOST": "127.0.0.1",
        "PORT": "4567",
        "FLASK_RUN_HOST": "127.0.0.1",
        "FLASK_RUN_PORT": "4567",
        "UVICORN_HOST": "127.0.0.1",
        "UVICORN_PORT": "4567",
        "GUNICORN_CMD_ARGS": "--bind 127.0.0.1:4567",
        "STREAMLIT_SERVER_ADDRESS": "127.0.0.1",
        "STREAMLIT_SERVER_PORT": "4567",
    }


def test_what_is_set_for_one_framework_stays_and_the_general_does_not():
    environ = {"FLASK_RUN_PORT": "5000", "GUNICORN_CMD_ARGS": "--reload", "PORT": "1", "HOST": "::"}

    variables = listening_variables(ADDRESS, environ)

    assert (variables["PORT"], variables["HOST"]) == ("4567", "127.0.0.1")
    assert "FLASK_RUN_PORT" not in variables
    assert "GUNICORN_CMD_ARGS" not in variables
    assert variables["FLASK_RUN_HOST"] == "127.0.0.1"


@pytest.mark.parametrize(
    ("hosts", "url", "allowed"),
    [
        (["my.dev.local", "localhost", "127.0.0.1"], "https://my.dev.local:8443", "my.dev.local"),
        (["localhost", "127.0.0.1", "::1"], "https://localhost:8443", None),
        (["::1"], "https://[::1]:8443", None),
        (["app.localhost", "localhost"], "https://app.localhost:8443", None),
        (["*.my.dev", "localhost"], "https://localhost:8443", ".my.dev"),
        (["localhost", "a.test", "b.test"], "https://localhost:8443", "a.test"),
    ],
)
def test_the_command_knows_where_it_is_found_and_vite_answers_there(hosts, url, allowed):
    variables = public_variables(hosts, 8443)

    assert variables.pop("OPENSSL_SERVE_URL") == url
    assert variables == ({"__VITE_ADDITIONAL_SERVER_ALLOWED_HOSTS": allowed} if allowed else {})


def test_a_wildcard_alone_is_no_url():
    variables = public_variables(["*.my.dev"], 8443)

    assert variables == {"__VITE_ADDITIONAL_SERVER_ALLOWED_HOSTS": ".my.dev"}


def test_a_name_that_is_none_is_left_out():
    variables = public_variables(["not a host", "localhost"], 8443)

    assert variables == {"OPENSSL_SERVE_URL": "https://localhost:8443"}


def test_a_unix_socket_has_no_url():
    variables = public_variables(["my.dev.local"], None)

    assert set(variables) == {"__VITE_ADDITIONAL_SERVER_ALLOWED_HOSTS"}


def test_what_is_for_us_alone_is_not_the_commands():
    environ = {
        "HOME": "/",
        "NOTIFY_SOCKET": "/run/x",
        "WATCHDOG_USEC": "1",
        "WATCHDOG_PID": "2",
        "OPENSSL_SERVE_AUTH": "user:password",
        "OPENSSL_SERVE_KEY_PASSWORD": "password",
    }

    assert without_ours(environ) == {"HOME": "/"}
