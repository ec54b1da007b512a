"""`run -- COMMAND` with real commands: found, answered, trusted, and ended with us."""

import json
import shutil
import signal
import socket
import sys
from pathlib import Path

import pytest
from server_fixtures import eventually

from e2e.clients import curl, trusting
from e2e.command import DEADLINE_S, INSTALLED, assert_refused
from e2e.session import alive

BIN = Path(sys.executable).parent

APP = '''
"""A server as people write them: it says what it was asked, and what its environment is."""
import http.server, json, os, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        said = {"path": self.path, "fields": dict(self.headers), "environment": dict(os.environ)}
        body = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

port = int(sys.argv[1]) if len(sys.argv) > 1 else int(os.environ["PORT"])
server = http.server.ThreadingHTTPServer((os.environ["HOST"], port), Handler)
print("listening on", server.server_port, flush=True)
server.serve_forever()
'''


@pytest.fixture
def run(command):
    """Start `run` with an app.py beside it; whatever it has started ends with the test."""
    (command.site / "app.py").write_text(APP)
    started = []

    def run(*words, options=(), **environment):
        running = command.start(
            "run", "--port", "0", "--cert-host", "my.dev.local", *options, "--", *map(str, words),
            environment=environment,
        )  # fmt: skip
        started.append(running)
        return running

    yield run
    for running in started:
        running.end(signal.SIGTERM)


def fetch(command, running, path="/"):
    """Ask as a browser would; what the app says, once it is up."""
    url = f"https://my.dev.local:{running.port}{path}"
    answers = []

    def answered():
        answers.append(curl(url, *trusting(command.cert, running.port)))
        return answers[-1].status != 502

    eventually(answered, "an answer", DEADLINE_S)
    return answers[-1]


def listening_at(running):
    """The port that the app says it has."""
    assert running.stdout
    return int(running.stdout.wait_for(r"^listening on (\d+)$")[1])


def test_a_server_that_reads_its_port_from_the_environment(command, run):
    running = run(sys.executable, "app.py")

    said = json.loads(fetch(command, running, "/a?b").body)

    environment = said["environment"]
    assert said["path"] == "/a?b"
    assert said["fields"]["Host"] == f"my.dev.local:{running.port}"
    assert said["fields"]["X-Forwarded-Proto"] == "https"
    assert environment["PORT"] == str(listening_at(running))
    assert environment["HOST"] == "127.0.0.1"
    assert environment["OPENSSL_SERVE_URL"] == f"https://my.dev.local:{running.port}"
    assert environment["HOME"] == command.environment["HOME"]


def test_a_server_that_takes_another_port_is_found(command, run):
    running = run(sys.executable, "app.py", "0")

    said = json.loads(fetch(command, running).body)

    port = listening_at(running)
    assert said["environment"]["PORT"] != str(port)
    assert running.stderr
    running.stderr.wait_for(rf"the command listens on 127\.0\.0\.1:{port}, not on port \d+")


def test_a_server_behind_a_script_is_found(command, run):
    """As npm has it: a shell between, and what is started has no idea of us."""
    run_it = f"env -u PORT {sys.executable} app.py 0 & wait"
    running = run("sh", "-c", run_it)

    assert fetch(command, running).status == 200


def test_the_port_can_stand_in_the_words_or_be_chosen(command, run):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    running = run(sys.executable, "app.py", "{port}", options=["--app-port", str(port)])

    assert fetch(command, running).status == 200
    assert listening_at(running) == port


def test_until_it_is_up_a_page_waits_for_it(command, run):
    wait = "while ! [ -e go ]; do sleep 0.02; done"
    running = run("sh", "-c", f"{wait}; exec {sys.executable} app.py")
    url = f"https://my.dev.local:{running.port}/"

    assert curl(url, *trusting(command.cert, running.port)).status == 502
    (command.site / "go").touch()
    assert fetch(command, running).status == 200


@pytest.mark.parametrize(
    ("script", "code"),
    [("exit 3", 3), ("kill -s TERM $$", 143)],
)
def test_its_status_is_ours(run, script, code):
    assert run("sh", "-c", script).wait() == code


def test_a_program_that_there_is_not(command):
    assert_refused(
        command.run("run", "--port", "0", "--", "npm run dev"), 127,
        "npm run dev: there is no such program", hints=2,
    )  # fmt: skip
    (command.site / "text").write_text("no program")
    finished = command.run("run", "--port", "0", "--", "./text")
    assert_refused(finished, 126, "./text: permission denied")


def test_nothing_is_started_when_we_cannot_listen(command):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])

        assert_refused(command.run("run", "--port", port, "--", "touch", "started"), 6, port)

    assert not (command.site / "started").exists()


def test_how_the_certificate_is_made_is_explained_and_nothing_started(command):
    finished = command.run("run", "--explain", "--", "touch", "started")

    assert finished.code == 0
    assert "openssl req" in finished.stdout
    assert not (command.site / "started").exists()


HOLD = "import time; time.sleep(60)"
FAMILY = f"""
import os, subprocess, sys
children = [subprocess.Popen([sys.executable, "-c", {HOLD!r}]) for _ in range(2)]
with open("pids", "w") as file:
    print(os.getpid(), *(child.pid for child in children), file=file)
os.rename("pids", "family")
"""


def family(command):
    """The processes that the command has become."""
    path = command.site / "family"
    eventually(path.exists, timeout_s=DEADLINE_S)
    return [int(word) for word in path.read_text().split()]


def all_ended(pids):
    return not any(map(alive, pids))


def test_grandchildren_end_with_the_command(command, run):
    running = run(sys.executable, "-c", FAMILY + "raise SystemExit(4)")
    pids = family(command)

    assert running.wait() == 4
    assert all_ended(pids)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_all_end_with_us(command, run, number):
    running = run(sys.executable, "-c", FAMILY + HOLD)
    pids = family(command)
    assert running.port

    # Python's own answer to SIGINT is an exception, with which it ends by the same signal.
    assert running.end(number) == 128 + number
    assert all_ended(pids)


def test_all_end_even_when_we_are_killed(command, run):
    running = run(sys.executable, "-c", FAMILY + HOLD)
    pids = family(command)

    assert running.end(signal.SIGKILL) == -signal.SIGKILL
    eventually(lambda: all_ended(pids))


def test_the_command_is_told_once_and_may_take_its_time(command, run):
    running = run(
        "sh", "-c", "trap 'echo told >>log; sleep 0.3; exit 9' TERM; echo up >>log; "
        "while :; do sleep 0.02; done",
    )  # fmt: skip
    log = command.site / "log"
    eventually(log.exists, timeout_s=DEADLINE_S)

    assert running.end(signal.SIGTERM) == 9
    assert log.read_text() == "up\ntold\n"


PYTHON_CLIENTS = """
import sys, urllib.request
import httpx, requests
url = sys.argv[1]
print(urllib.request.urlopen(url).read().decode(), requests.get(url).text, httpx.get(url).text)
"""

TRUSTING = """
import http.server, os, subprocess, sys, threading
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"trusted")
    def log_message(self, *_args):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
for program in sys.argv[1:]:
    words = {
        "curl": ["curl", "-sS"],
        "node": ["node", "-e", "fetch(process.argv[1]).then(r => r.text()).then(console.log)"],
        "python": [sys.executable, "clients.py"],
    }[program]
    done = subprocess.run([*words, os.environ["OPENSSL_SERVE_URL"]], capture_output=True, text=True)
    print(program, done.stdout.split() or done.stderr)
"""


@pytest.mark.parametrize("authority", [False, True], ids=["self-signed", "local CA"])
def test_what_the_command_starts_trusts_local_https(command, authority):
    (command.site / "clients.py").write_text(PYTHON_CLIENTS)
    (command.site / "trusting.py").write_text(TRUSTING)
    programs = [name for name in ("curl", "node") if shutil.which(name)] + ["python"]
    if authority:
        assert command.run("generate", "--ca", "localhost").code == 0

    finished = command.run("run", "--port", "0", "--", sys.executable, "trusting.py", *programs)

    said = [line for line in finished.stdout.splitlines() if not line.startswith("https://")]
    assert said == [
        *(f"{name} ['trusted']" for name in programs[:-1]),
        "python ['trusted', 'trusted', 'trusted']",
    ]


def test_env_has_a_shell_trust_as_well(command):
    with command.start("--cert-host", "my.dev.local") as running:
        url = f"https://localhost:{running.port}/hello.txt"
        script = f'eval "$({INSTALLED} env)" && curl -sS {url}'
        finished = command.run(script, program=("sh", "-c"))

    assert finished.stdout == "hello\n", finished.stderr


FLASK = """
from flask import Flask
app = Flask(__name__)
@app.get("/")
def index():
    return "made by hand"
"""
ASGI = """
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"made by hand"})
"""
DJANGO = """
import sys
from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import HttpResponse
from django.urls import path
settings.configure(
    DEBUG=True, SECRET_KEY="-", ROOT_URLCONF=__name__, ALLOWED_HOSTS=["my.dev.local"],
)
urlpatterns = [path("", lambda request: HttpResponse("made by hand"))]
if __name__ == "__main__":
    execute_from_command_line(sys.argv)
"""


@pytest.mark.parametrize(
    ("words", "content"),
    [
        ([sys.executable, "-m", "flask", "--app", "made", "run", "--debug"], FLASK),
        ([BIN / "gunicorn", "made:app"], FLASK),
        ([BIN / "uvicorn", "made:app"], ASGI),
        ([BIN / "hypercorn", "made:app"], ASGI),
        ([sys.executable, "made.py", "runserver"], DJANGO),
    ],
    ids=["flask", "gunicorn", "uvicorn", "hypercorn", "django"],
)
def test_frameworks_listen_where_they_are_told(command, run, words, content):
    name = "manage.py" if content == DJANGO else "made.py"
    (command.site / name).write_text(content)
    words = [name if word == "made.py" else word for word in words]
    # What the frameworks warn of is not ours to mend.
    running = run(*words, PYTHONWARNINGS="default")

    assert fetch(command, running).body == "made by hand"
    assert running.stderr
    assert "not on port" not in running.stderr.text


VITE = Path(__file__).parent.parent.parent / ".bench" / "node_modules" / ".bin" / "vite"


@pytest.mark.skipif(not VITE.exists() or not shutil.which("node"), reason="no Vite here")
@pytest.mark.parametrize("told", [True, False], ids=["directly", "behind a script"])
def test_vite_answers_for_the_certificates_name(command, run, told):
    (command.site / "index.html").write_text("<h1>made by hand</h1>")
    words = [VITE] if told else ["sh", "-c", f"{VITE}; true"]
    running = run(*words)

    answer = fetch(command, running)

    assert "made by hand" in answer.body
    assert running.stderr
    assert ("not on port" in running.stderr.text) is not told
