"""The command line inside this process: exit code, stdout and stderr of one call."""

from typing import Any, NamedTuple

from openssl_serve.cli.app import run


class Finished(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def errors(self) -> list[str]:
        prefix = "openssl-serve: error: "
        found = [line for line in self.err.splitlines() if line.startswith(prefix)]
        return [line.removeprefix(prefix) for line in found]


class CommandLine:
    """Calls the program with pytest's *capsys* around it."""

    def __init__(self, capsys: Any) -> None:
        self._capsys = capsys

    def __call__(self, *words: object) -> Finished:
        self._capsys.readouterr()
        code = run([str(word) for word in words])
        return Finished(code, *self._capsys.readouterr())

    def good(self, *words: object) -> Finished:
        """One that must succeed."""
        finished = self(*words)
        assert finished.code == 0, finished.err
        return finished

    def refused(self, code: int, *words: object) -> str:
        """The error line of one that must not: one line, hints, nothing on stdout."""
        finished = self(*words)
        assert finished.code == code, finished
        assert finished.out == ""
        assert len(finished.errors) == 1, finished.err
        assert "Traceback" not in finished.err
        return finished.errors[0]
