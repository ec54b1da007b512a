import pickle
import traceback

from openssl_serve.errors import InvalidHostError, OpensslFailedError


def test_a_traceback_shows_the_hints():
    error = InvalidHostError("no host", "name one", "or another")

    shown = "".join(traceback.format_exception(error))

    assert shown.endswith("InvalidHostError: no host\nhint: name one\nhint: or another\n")
    assert str(error) == "no host"


def test_an_error_survives_the_way_between_processes():
    """As from a worker of pytest-xdist, or of a pool."""
    error = OpensslFailedError("req failed", "look at it", stderr="all that it said")

    again = pickle.loads(pickle.dumps(error))

    assert (str(again), again.hints, again.stderr) == ("req failed", error.hints, error.stderr)
    assert again.__notes__ == ["hint: look at it"]
