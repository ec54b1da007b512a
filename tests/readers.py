"""Readers of HTTP that we did not write."""

from httplint import HttpResponseLinter
from httplint.note import levels
from server_fixtures import Answer


def faults_of(answer: Answer, *, no_content: bool = False) -> set[str]:
    """What httplint finds bad in *answer*, which has *no_content* after a HEAD."""
    linter = HttpResponseLinter(no_content=no_content)
    linter.base_uri = "https://localhost/x"
    linter.process_response_topline(b"HTTP/1.1", b"%d" % answer.status, answer.reason)
    linter.process_headers(answer.fields)
    linter.feed_content(answer.body)
    linter.finish_content(complete=True)
    return {str(note.summary) for note in linter.notes if note.level is levels.BAD}
