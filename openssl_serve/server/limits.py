"""How long and how much a client may; every limit with its unit and its reason."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Times are seconds. A deadline that passes closes the connection (408 in mid-request)."""

    first_byte_timeout_s: float = 10.0
    """From accept to the first byte. Browsers open spare connections and use them soon."""
    handshake_timeout_s: float = 10.0
    """From the first byte to the end of the TLS handshake; nginx allows 60, Go servers 10."""
    head_timeout_s: float = 10.0
    """From a request's first byte to the end of its head, however the bytes drip."""
    body_timeout_s: float = 10.0
    """For what is left of a discarded body after its response was sent."""
    idle_timeout_s: float = 60.0
    """Between requests; nginx keeps 75 seconds, Apache 5."""
    rest_s: float = 2.0
    """Without a request, after which another is not expected soon, and less memory is kept."""
    write_timeout_s: float = 30.0
    """Without one byte of progress while a response is sent."""
    linger_timeout_s: float = 2.0
    """For a client to take the last response before the connection is closed."""
    interrupt_grace_s: float = 0.6
    """After Ctrl-C, for responses in flight: the prompt is back within a second."""
    terminate_grace_s: float = 10.0
    """After SIGTERM, for responses in flight; container runtimes kill after 10."""
    max_connections: int = 16_384
    """At once, if the system's limit on open files allows as many."""
    max_discarded_body: int = 262_144
    """Bytes of an unwanted request body that are read to keep the connection."""
    threads: int = 8
    """For short work that may block: listings of folders, names to look up."""
    app_threads: int = 16
    """Requests that a WSGI app answers at the same time: each has a thread until it is over, an
    event stream too, of which a browser opens six to one server at the most."""
    max_app_content: int = 1_073_741_824
    """Bytes of one request to a WSGI app, as waitress has it; 413 for more. An app can be content
    with less. What does not fit into memory is in the folder for temporary files."""
