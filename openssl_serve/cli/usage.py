"""What the command line's own parser complains of, in our words; and what may have been meant."""

import os
import re
from collections.abc import Sequence
from difflib import get_close_matches
from itertools import islice
from typing import Any

from openssl_serve.cli.commands import ROOMS
from openssl_serve.errors import UsageError

ALIKE = 0.7
"""From this similarity on (difflib) a word may be another with a slip; below, it is another."""

_VALUE = r"Invalid value for '(\S+?)'(?: / '\S+')*: "

_WORDS = (
    (r"No such option: (\S+).*", r"there is no option \1"),
    (r"Missing argument '\[?(\w+).*", r"\1 is missing"),
    (r"Option '(\S+)' requires an argument\.", r"\1 needs a value"),
    (r"Option '(\S+)' does not take a value\.", r"\1 takes no value"),
    (r"Got unexpected extra argument\(s\) \((.*)\)", r"too many words: \1"),
    (_VALUE + r"'(.*)' is not a valid int\.", r'\1 "\2" is not a number'),
    (_VALUE + r"'(.*)' is not a valid boolean\..*", r'\1 "\2": 1 or 0 is wanted'),
    (_VALUE + r"(\S+) is not in the range (\d+)<=x<=(\d+)\.", r"\1 \2: from \3 to \4 make sense"),
)
"""Its messages, which are not translated, and ours."""


def error_of(complaint: Any) -> UsageError:
    """Return what the parser's *complaint* is for us; its notes are hints."""
    ctx = getattr(complaint, "ctx", None)
    hints = [
        *_meant_option(complaint, ctx),
        f"{ctx.command_path if ctx else 'openssl-serve'} --help shows what can be said",
        *getattr(complaint, "__notes__", ()),
    ]
    return UsageError(_in_our_words(complaint.format_message()), *hints)


def _in_our_words(message: str) -> str:
    for pattern, words in _WORDS:
        if match := re.fullmatch(pattern, message, re.DOTALL):
            return match.expand(words)
    return message[:1].lower() + message[1:].rstrip(".")


def _meant_option(complaint: Any, ctx: Any) -> list[str]:
    wrong = getattr(complaint, "option_name", None)
    if wrong is None or not hasattr(complaint, "possibilities") or ctx is None:
        return []
    params = ctx.command.get_params(ctx)
    known = [name for each in params for name in (*each.opts, *each.secondary_opts)]
    return [f"did you mean {near}?" for near in get_close_matches(wrong, known, 1, ALIKE)]


def meant_command(arguments: Sequence[str]) -> list[str]:
    """Return a hint if *arguments*, which cannot be meant so, were meant for a command.

    Without one in front they are for `serve`, which would look for a folder of that name.
    """
    first = arguments[0] if arguments else ""
    if first in ("help", "version"):
        return [f"openssl-serve --{first}"]
    names = [name for commands in ROOMS.values() for name in commands]
    if first.startswith("-"):
        named = (each for each in arguments if each in names and not os.path.exists(each))
        return [f"the command comes first: openssl-serve {name}" for name in islice(named, 1)]
    if first in names or not first.isalpha() or os.path.exists(first):
        return []
    near = get_close_matches(first, names, 1, ALIKE)
    return [f"did you mean openssl-serve {name}?" for name in near]
