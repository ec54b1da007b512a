"""A small Flask app, as its documentation begins one."""

import io
from collections.abc import Iterator

from flask import (
    Flask,
    Response,
    redirect,
    request,
    send_file,
    session,
    stream_with_context,
    url_for,
)
from werkzeug.wrappers import Response as BaseResponse

app = Flask(__name__)
app.secret_key = "for tests"


@app.get("/")
def index() -> dict[str, object]:
    return {"url": url_for("index", _external=True), "secure": request.is_secure}


@app.get("/greet/<name>")
def greet(name: str) -> str:
    return f"Hello, {name}! {request.args.get('punctuation', '')}"


@app.post("/upload")
def upload() -> dict[str, object]:
    file = request.files["file"]
    return {"name": file.filename, "size": len(file.read()), "note": request.form["note"]}


@app.post("/login")
def login() -> BaseResponse:
    session["user"] = request.form["user"]
    return redirect(url_for("whoami"))


@app.get("/whoami")
def whoami() -> str:
    return str(session.get("user", "nobody"))


@app.get("/stream")
def stream() -> Response:
    def lines() -> Iterator[str]:
        for number in range(3):
            yield f"data: {number} {request.path}\n\n"

    return Response(stream_with_context(lines()), mimetype="text/event-stream")


@app.get("/download")
def download() -> Response:
    return send_file(__file__)


@app.get("/memory")
def memory() -> Response:
    return send_file(io.BytesIO(b"from memory"), mimetype="text/plain")


@app.get("/broken")
def broken() -> str:
    raise LookupError("a fault of the app")


def create_app(greeting: str = "made") -> Flask:
    made = Flask("made")
    made.get("/")(lambda: greeting)
    return made
