"""A Django project in one file."""

from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import FileResponse, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.middleware.csrf import get_token
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=["my.dev.local", "localhost"],
    CSRF_COOKIE_SECURE=True,
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
    ],
    ROOT_URLCONF=__name__,
    SECRET_KEY="for tests",
    # Would send plain HTTP away, and for ever if it took this for plain HTTP.
    SECURE_SSL_REDIRECT=True,
    USE_TZ=True,
)


def index(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"url": request.build_absolute_uri(), "secure": request.is_secure()})


def upload(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        return HttpResponse(get_token(request), content_type="text/plain")
    file = request.FILES["file"]
    return JsonResponse({"name": file.name, "size": file.size, "note": request.POST["note"]})


def stream(request: HttpRequest) -> StreamingHttpResponse:
    def lines() -> Iterator[str]:
        for number in range(3):
            yield f"line {number}\n"

    return StreamingHttpResponse(lines(), content_type="text/plain")


def download(request: HttpRequest) -> FileResponse:
    return FileResponse(Path(__file__).open("rb"), content_type="text/plain")


def broken(request: HttpRequest) -> HttpResponse:
    raise LookupError("a fault of the app")


urlpatterns = [
    path("", index),
    path("upload", upload),
    path("stream", stream),
    path("download", download),
    path("broken", broken),
]

application = get_wsgi_application()
