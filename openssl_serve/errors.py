"""Every error that openssl-serve raises on purpose; nothing else belongs here.

An error says what is wrong in one line (no capital, no full stop, always the path, number or
name) and then, as hints, what to type or to change. The command line prints both and leaves
with `exit_code`; a traceback on a terminal is a bug.
"""


def reason_of(error: OSError) -> str:
    """Why a call of the system failed, or one of OpenSSL, in words that can end a message.

    >>> reason_of(FileNotFoundError(2, "No such file or directory"))
    'no such file or directory'
    """
    # ssl.SSLError has OpenSSL's own: "WRONG_VERSION_NUMBER".
    reason = str(getattr(error, "reason", None) or "").replace("_", " ")
    return (reason or error.strerror or str(error) or type(error).__name__).lower()


def typed(*words: object) -> str:
    """A command for a hint, as it can be typed: what a shell would take apart is quoted.

    >>> typed("openssl-serve", "show", "*.dev.local")
    "openssl-serve show '*.dev.local'"
    """
    import shlex  # noqa: PLC0415  2 ms, which a start without a fault need not take

    return shlex.join(map(str, words))


class OpensslServeError(Exception):
    """Something a user can mend. `str(error)` is the message, `error.hints` what to do."""

    exit_code = 1

    def __init__(self, message: str, *hints: str) -> None:
        super().__init__(message)
        self.hints = hints
        # For tracebacks, in programs that use the API and in the reports of pytest.
        for hint in hints:
            self.add_note(f"hint: {hint}")


class UsageError(OpensslServeError):
    """The words of the command line, or an argument of the API, cannot be meant so."""

    exit_code = 2


class InvalidHostError(UsageError):
    """A host that no certificate can hold, or that no client would accept."""


class OpensslError(OpensslServeError):
    """The openssl program is absent, unusable, or failed."""

    exit_code = 3


class OpensslNotFoundError(OpensslError):
    """No program called openssl where we looked."""


class OpensslUnusableError(OpensslError):
    """There is a program, but it is not openssl, too old, or lacks what is needed."""


class OpensslFailedError(OpensslError):
    """openssl ran and did not do its work; `stderr` holds all that it said."""

    def __init__(self, message: str, *hints: str, stderr: str = "") -> None:
        super().__init__(message, *hints)
        self.stderr = stderr


class CertificateError(OpensslServeError):
    """A certificate or key that cannot be used as asked."""

    exit_code = 4


class KeyMismatchError(CertificateError):
    """The private key does not belong to the certificate."""


class StoreError(CertificateError):
    """The data folder cannot be read or written."""


class TrustStoreError(OpensslServeError):
    """A trust store could not be read or changed."""

    exit_code = 5


class ListenError(OpensslServeError):
    """The address cannot be listened on."""

    exit_code = 6


class CommandError(OpensslServeError):
    """The command of `run` cannot be started; `exit_code` is what a shell would leave with."""

    def __init__(self, exit_code: int, message: str, *hints: str) -> None:
        super().__init__(message, *hints)
        self.exit_code = exit_code


class AppError(OpensslServeError):
    """The code of an app fails before there is an app; `trace` is the traceback, whole lines."""

    def __init__(self, message: str, trace: str, *hints: str) -> None:
        super().__init__(message, *hints)
        self.trace = trace


class HttpError(OpensslServeError):
    """Ends one request with `status` and these extra `fields`; never reaches the terminal."""

    def __init__(
        self, status: int, message: str, fields: tuple[tuple[bytes, bytes], ...] = ()
    ) -> None:
        super().__init__(message)
        self.status = status
        self.fields = fields
