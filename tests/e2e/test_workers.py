"""`--workers`: several processes, which say once what is news to all of them."""

import os
import signal

from server_fixtures import eventually

from e2e.command import Command

NEWS = "new connections get the new certificate"


def test_a_new_certificate_is_said_once(command: Command) -> None:
    with command.start("--workers", "2", "--cert-host", "my.dev.local") as running:
        assert running.banner
        assert running.stderr
        # Nobody comes, and it is noticed all the same.
        os.utime(command.cert, ns=(0, 0))
        running.stderr.wait_for(NEWS)
        running.process.send_signal(signal.SIGHUP)
        eventually(lambda: running.stderr and running.stderr.text.count(NEWS) == 2)
        # It comes to each worker after the first, and ends it after that.
        assert running.end(signal.SIGTERM) == 0
        text = running.stderr.text
    assert text.count(NEWS) == 2
