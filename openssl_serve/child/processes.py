"""What /proc says of the processes of this machine (Linux)."""

import contextlib
from pathlib import Path
from typing import NamedTuple


class Process(NamedTuple):
    """A process, as proc(5) describes its `stat`."""

    pid: int
    state: str
    parent: int
    group: int

    @property
    def is_over(self) -> bool:
        """Whether it has ended, and only its parent has not noticed yet."""
        return self.state in ("Z", "X")


def processes() -> list[Process]:
    """Read all of them; none where there is no /proc, or it cannot be read at this moment."""
    found = []
    # It has none, or this process has no descriptor left.
    with contextlib.suppress(OSError):
        for folder in Path("/proc").iterdir():
            if folder.name.isdecimal():
                # Gone meanwhile, or just going.
                with contextlib.suppress(OSError, ValueError):
                    found.append(parse_stat((folder / "stat").read_text("utf-8", "replace")))
    return found


def parse_stat(text: str) -> Process:
    """Read "pid (name) state ppid pgrp …"; the name may hold anything.

    >>> parse_stat("7 (a) S (b) S 1 5 5 0 -1")
    Process(pid=7, state='S', parent=1, group=5)
    """
    pid = text.partition(" ")[0]
    state, parent, group, *_ = text.rpartition(")")[2].split()
    return Process(int(pid), state, int(parent), int(group))


def family(group: int) -> set[int]:
    """The processes of *group* and their descendants: a task runner gives each its own group."""
    known = processes()
    found = {process.pid for process in known if process.group == group}
    while more := {each.pid for each in known if each.parent in found} - found:
        found |= more
    return found


def is_alive(group: int) -> bool:
    """Whether a process of *group* still runs, as far as the system tells."""
    members = [process for process in processes() if process.group == group]
    return not members or not all(process.is_over for process in members)
