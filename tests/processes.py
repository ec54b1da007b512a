"""Code in a forked child: with another user's rights, or killed in the middle."""

import os
import pickle
import signal
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

NOBODY = 65534

CHANGES = {
    "open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.chmod", "os.listdir",
    "fcntl.flock", "os.fsync", "os.close",
}  # fmt: skip


def in_child(work: Callable[[], object], *, user: int | None = None) -> Any:
    """What *work* returns in a child; its exception is raised here."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reader)
            if user is not None and os.geteuid() == 0:
                os.setgroups([])
                os.setgid(user)
                os.setuid(user)
            try:
                result = (True, work())
            except BaseException as error:  # noqa: BLE001
                error.add_note(traceback.format_exc())
                result = (False, error)
            with os.fdopen(writer, "wb") as file:
                pickle.dump(result, file)
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        data = file.read()
    os.waitpid(child, 0)
    good, result = pickle.loads(data)
    if not good:
        raise result
    return result


def ended(pid: int) -> bool:
    """Whether that process is gone, or nobody has asked how it ended yet."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def wait_until_ended(pid: int) -> None:
    """Wait until that process is gone; fail when it does not go."""
    deadline = time.monotonic() + 20
    while not ended(pid):
        assert time.monotonic() < deadline
        os.sched_yield()


def at_once(count: int, work: Callable[[], str]) -> list[str]:
    """What *work* returns in each of *count* children that start at the same moment."""
    start_reader, start_writer = os.pipe()
    reader, writer = os.pipe()
    children = []
    for _ in range(count):
        child = os.fork()
        if child == 0:
            try:
                os.close(start_writer)
                os.read(start_reader, 1)
                try:
                    line = work()
                except BaseException as error:  # noqa: BLE001
                    line = repr(error)
                # Lines up to PIPE_BUF are never mixed.
                os.write(writer, f"{line}\n".encode()[:4096])
            finally:
                os._exit(0)
        children.append(child)
    os.close(writer)
    os.close(start_writer)
    with os.fdopen(reader) as file:
        lines = file.read().splitlines()
    for child in children:
        os.waitpid(child, 0)
    os.close(start_reader)
    return lines


def killed_at(number: int, work: Callable[[], object]) -> bool:
    """Run *work* in a child that is killed before its *number*-th change of the file system.

    False when it ended before that.
    """
    child = os.fork()
    if child == 0:
        try:
            count = 0

            def hook(event, _arguments):
                nonlocal count
                if event in CHANGES:
                    count += 1
                    if count == number:
                        os.kill(os.getpid(), signal.SIGKILL)

            # Neither is audited; a file's content may be lost before the one, the other unlocks.
            for name in ("fsync", "close"):
                original = getattr(os, name)

                def audited(descriptor, original=original, name=name):
                    sys.audit(f"os.{name}", descriptor)
                    return original(descriptor)

                setattr(os, name, audited)
            sys.addaudithook(hook)
            work()
        except BaseException:  # noqa: BLE001
            traceback.print_exc()
            os._exit(3)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)
