"""A folder as a web site: clean URLs, a page of its own for what is missing, single-page apps."""

import os

import pytest
from server_fixtures import request

from openssl_serve.handlers.folder import Folder, FolderOptions

PAGE = b"Accept: text/html,application/xhtml+xml,*/*;q=0.8"
GZIP = b"Accept-Encoding: gzip"
SPA = FolderOptions(spa=True)


@pytest.fixture
def site(root):
    (root / "index.html").write_text("<title>app</title>")
    (root / "about.html").write_text("<title>about</title>")
    (root / "sub").mkdir()
    (root / "sub" / "page.html").write_text("<title>page</title>")
    (root / "sub" / "index.html").write_text("<title>sub</title>")
    return root


# Clean URLs.


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
@pytest.mark.parametrize(
    ("target", "name"),
    [("/about", "about.html"), ("/about?x=1&y", "about.html"), ("/about.html", "about.html"),
     ("/sub/page", "sub/page.html"), ("/sub/page?next=/a.b", "sub/page.html"),
     ("/%61bout", "about.html"), ("/index", "index.html")],
)  # fmt: skip
def test_a_page_can_be_asked_for_without_its_extension(server, site, target, name, method):
    answer = server.get(target, method=method)

    assert answer.status == 200
    assert answer.get(b"content-type") == b"text/html; charset=utf-8"
    assert answer.get(b"etag") == server.get("/" + name).get(b"etag")
    if method == b"GET":
        assert answer.body == (site / name).read_bytes()


def test_what_has_the_very_name_comes_first(server, site, monkeypatch):
    """Also when it comes later, and the page was kept."""
    monkeypatch.setattr("openssl_serve.handlers.files.SETTLED_S", -10.0)
    assert server.get("/about").text == server.get("/about").text == "<title>about</title>"
    (site / "about").write_text("the file")
    assert server.get("/about").text == "the file"
    (site / "about").unlink()
    assert server.get("/about").text == "<title>about</title>"
    (site / "about").mkdir()
    (site / "about" / "index.html").touch()
    assert server.get("/about?x").get(b"location") == b"/about/?x"


def test_a_folder_is_not_a_page_of_the_same_name(server, site):
    (site / "sub.html").write_text("page")

    assert server.get("/sub").get(b"location") == b"/sub/"
    assert server.get("/sub.html").text == "page"
    assert server.get("/about/").status == 404


@pytest.mark.parametrize("listing", [True, False])
def test_a_page_comes_before_a_folder_that_only_holds_what_is_below_it(
    serve, site, monkeypatch, listing
):
    """Next.js and others write blog.html beside blog/."""
    monkeypatch.setattr("openssl_serve.handlers.files.SETTLED_S", -10.0)
    (site / "about").mkdir()
    (site / "about" / "us.html").write_text("us")
    running = serve(folder=FolderOptions(listing=listing))

    for _ in range(2):
        assert running.get("/about?x").text == "<title>about</title>"
    assert running.get("/about/us").text == "us"
    assert running.get("/about/").status == (200 if listing else 404)

    # Kept or not, the folder's own page is noticed when it comes.
    (site / "about" / "index.html").write_text("index")
    assert running.get("/about?x").get(b"location") == b"/about/?x"
    (site / "about" / "index.html").unlink()
    assert running.get("/about?x").text == "<title>about</title>"
    (site / "about.html").unlink()
    assert running.get("/about?x").get(b"location") == b"/about/?x"


@pytest.mark.parametrize("name", [".env.html", "id.key.html"])
def test_an_extension_left_out_shows_nothing_hidden(server, site, name):
    (site / name).write_text("secret")

    assert server.get("/" + name.removesuffix(".html")).status == 404


def test_a_page_without_its_extension_is_held_to_the_rules_of_links(server, site, tmp_path):
    (tmp_path / "outside.html").write_text("secret")
    (site / "out.html").symlink_to("../outside.html")

    assert server.get("/out").status == 404


def test_conditions_ranges_and_codings_apply_to_a_clean_url(server, site):
    (site / "about.html").write_text("long " * 1000)
    tag = server.get("/about", GZIP).get(b"etag") or b""

    assert server.get("/about", GZIP, b"If-None-Match: " + tag).status == 304
    assert server.get("/about", b"Range: bytes=0-3").body == b"long"


def test_an_index_that_comes_before_the_one_that_was_kept_is_noticed(serve, root, monkeypatch):
    monkeypatch.setattr("openssl_serve.handlers.files.SETTLED_S", -10.0)
    running = serve()
    (root / "index.htm").write_text("second")
    assert running.get("/").text == running.get("/").text == "second"
    (root / "index.html").write_text("first")

    assert running.get("/").text == "first"


# What is missing.


def test_a_site_has_its_own_page_for_what_is_missing(server, site):
    (site / "404.html").write_text("<title>lost</title>")

    for target in ("/missing", "/sub/missing.js", "/missing/", "/.env", "/..%2fsecret"):
        answer = server.get(target)
        assert (answer.status, answer.text) == (404, "<title>lost</title>")
        assert answer.get(b"content-type") == b"text/html; charset=utf-8"
        assert answer.get(b"cache-control") == b"no-store"
        assert answer.get(b"etag") is None
    assert server.get("/404.html").status == 200
    assert server.get("/404").status == 200


def test_a_page_for_what_is_missing_keeps_the_connection_in_step(server, site):
    (site / "404.html").write_bytes(b"x" * 100_000)
    with server.tls() as client:
        client.send(request("/a") + request("/b", method=b"HEAD") + request("/a.txt"))
        lengths = [len(client.answer(m).body) for m in (b"GET", b"HEAD", b"GET")]
    assert lengths[:2] == [100_000, 0]
    assert lengths[2]


def test_conditions_mean_nothing_to_what_is_missing(server, site):
    """RFC 9110 section 13.2.1."""
    (site / "404.html").write_text("lost")

    for field in (b"If-None-Match: *", b"If-Match: *", b"Range: bytes=0-1"):
        answer = server.get("/missing", field)
        assert (answer.status, answer.text) == (404, "lost")


def test_the_page_for_what_is_missing_is_held_to_the_rules_of_every_file(server, site, tmp_path):
    (tmp_path / "secret").write_text("secret")
    (site / "404.html").symlink_to("../secret")
    answer = server.get("/missing")

    assert answer.status == 404
    assert "secret" not in answer.text


def test_a_folder_that_is_not_listed_looks_missing(serve, site):
    (site / "404.html").write_text("lost")
    (site / "empty").mkdir()

    answer = serve(folder=FolderOptions(listing=False)).get("/empty/")

    assert (answer.status, answer.text) == (404, "lost")


def test_a_folder_that_cannot_be_read_looks_missing(server, site, monkeypatch):
    (site / "404.html").write_text("lost")
    (site / "closed").mkdir()

    def denied(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("openssl_serve.handlers.entries.os.scandir", denied)
    answer = server.get("/closed/")

    assert (answer.status, answer.text) == (404, "lost")


# Single-page apps.


@pytest.mark.parametrize("target", ["/users", "/users/7", "/users/7/", "/deep/er?x=1", "/a%20b"])
def test_a_page_that_only_the_script_knows_is_the_apps_one_page(serve, site, target):
    running = serve(folder=SPA)
    answer = running.get(target, PAGE)

    assert (answer.status, answer.text) == (200, "<title>app</title>")
    assert answer.get(b"vary") == b"Accept, Accept-Encoding"
    tag = answer.get(b"etag") or b""
    assert running.get(target, PAGE, b"If-None-Match: " + tag).status == 304
    assert running.get(target, PAGE, method=b"HEAD").status == 200


@pytest.mark.parametrize(
    ("target", "accept"),
    [
        ("/app.js", PAGE), ("/img/logo.png", PAGE), ("/users.json", PAGE), ("/app%2ejs", PAGE),
        ("/users", b"Accept: application/json"), ("/users", b"Accept: */*"), ("/users", b"X: y"),
        ("/users", b"Accept: image/avif,*/*;q=0.8"), ("/users", b"Accept: text/html;q=0"),
    ],
)  # fmt: skip
def test_a_missing_part_of_a_page_stays_missing(serve, site, target, accept):
    assert serve(folder=SPA).get(target, accept).status == 404


def test_what_is_there_comes_before_the_apps_page(serve, site):
    running = serve(folder=SPA)

    assert running.get("/about", PAGE).text == "<title>about</title>"
    assert running.get("/sub/", PAGE).text == "<title>sub</title>"
    assert running.get("/sub", PAGE).status == 301
    assert running.get("/users", PAGE, b"Content-Length: 0", method=b"POST").status == 405


def test_a_folder_that_is_no_page_is_none_of_an_app_either(serve, site):
    """/images may be a page of the app, and a folder of what it shows."""
    (site / "index.html").write_text("<title>app</title>")
    (site / "images").mkdir()
    (site / "images" / "a.png").touch()
    running = serve(folder=SPA)

    for target in ("/images", "/images/", "/images?x=1"):
        assert running.get(target, PAGE).text == "<title>app</title>"
        assert running.get(target, PAGE).get(b"vary") == b"Accept, Accept-Encoding"
    # Programs see what is there.
    assert running.get("/images/").text == "a.png\n"
    assert running.get("/images").get(b"location") == b"/images/"
    assert running.get("/images/a.png", PAGE).body == b""

    (site / "index.html").unlink()
    assert "a.png" in running.get("/images/", PAGE).text
    assert running.get("/images", PAGE).status == 301


def test_hidden_and_missing_look_the_same_in_an_app(serve, site):
    (site / ".git").mkdir()
    (site / ".git" / "config").write_text("secret")
    running = serve(folder=SPA)

    hidden, missing = (running.get(path, PAGE) for path in ("/.git/config", "/missing/config"))
    assert (hidden.status, hidden.body) == (missing.status, missing.body)


def test_the_apps_page_is_never_an_old_one(serve, site, monkeypatch):
    """It is not kept for targets that may become files."""
    monkeypatch.setattr("openssl_serve.handlers.files.SETTLED_S", -10.0)
    running = serve(folder=SPA)
    assert running.get("/users", PAGE).text == "<title>app</title>"
    (site / "users.html").write_text("users")
    assert running.get("/users", PAGE).text == "users"
    (site / "index.html").write_text("new app")
    assert running.get("/new", PAGE).text == "new app"


def test_a_large_page_of_an_app_is_compressed_too(serve, site):
    (site / "index.html").write_text("long " * 20_000)
    running = serve(folder=SPA)

    assert running.get("/users", PAGE, GZIP).get(b"content-encoding") == b"gzip"


def test_an_app_without_a_page_has_its_404(serve, root):
    (root / "404.html").write_text("lost")

    assert serve(folder=SPA).get("/users", PAGE).text == "lost"


# How long it lasts.


def test_files_are_asked_for_each_time_unless_told_otherwise(serve, site):
    assert serve().get("/about").get(b"cache-control") == b"no-cache"
    running = serve(folder=FolderOptions(cache_s=60))
    first = running.get("/about")
    assert first.get(b"cache-control") == b"max-age=60"
    tag = first.get(b"etag") or b""
    again = running.get("/about", b"If-None-Match: " + tag)
    assert (again.status, again.get(b"cache-control")) == (304, b"max-age=60")
    assert running.get("/about", b"Range: bytes=0-1").get(b"cache-control") == b"max-age=60"
    assert running.get("/missing").get(b"cache-control") == b"no-store"
    os.remove(site / "index.html")
    assert running.get("/").get(b"cache-control") == b"no-cache"


# Links out of the folder.


@pytest.fixture
def linked(site, tmp_path):
    (tmp_path / "shared" / ".git").mkdir(parents=True)
    (tmp_path / "shared" / "lib.js").write_text("lib")
    (tmp_path / "shared" / ".env").write_text("secret")
    (tmp_path / "shared" / "id.key").write_text("secret")
    (tmp_path / "shared" / ".git" / "config").write_text("secret")
    (site / "shared").symlink_to("../shared")
    (site / "lib.js").symlink_to("../shared/lib.js")
    (site / "env.txt").symlink_to("../shared/.env")
    (site / "key.txt").symlink_to("../shared/id.key")
    (site / "git").symlink_to("../shared/.git")
    return site


def test_links_out_of_the_folder_are_followed_when_asked_to(serve, linked):
    running = serve(folder=FolderOptions(follow_symlinks=True))

    assert running.get("/lib.js").text == running.get("/shared/lib.js").text == "lib"
    assert running.get("/shared/").text.splitlines() == ["lib.js"]
    for target in ("/env.txt", "/key.txt", "/git/config", "/git/", "/shared/.env"):
        assert running.get(target).status == 404


def test_no_link_leads_to_the_key_in_use(serve, linked, pair):
    (linked / "harmless.txt").symlink_to(pair.key_path.parent / "server.crt")
    os.link(pair.key_path, linked / "copy.txt")
    running = serve(folder=FolderOptions(follow_symlinks=True, hidden=True))

    assert running.get("/harmless.txt").status == 200
    assert running.get("/copy.txt").status == 404


def test_links_out_of_the_folder_are_missing_otherwise(serve, linked):
    for target in ("/lib.js", "/shared/lib.js", "/shared/", "/shared"):
        assert serve().get(target).status == 404


def test_a_root_in_a_hidden_folder_can_have_links_to_its_neighbours(serve, root, tmp_path):
    """What the root's own path has of dots was the user's choice."""

    top = tmp_path / ".work"
    (top / "site").mkdir(parents=True)
    (top / "lib.js").write_text("lib")
    (top / ".env").write_text("secret")
    (top / "site" / "lib.js").symlink_to("../lib.js")
    (top / "site" / "env").symlink_to("../.env")
    (top / "site" / "up").symlink_to("..")
    folder = Folder(top / "site", follow_symlinks=True)

    assert folder.contains(os.fsencode(top / "site" / "lib.js"))
    assert folder.contains(os.fsencode(top / "site" / "up"))
    assert not folder.contains(os.fsencode(top / "site" / "env"))


def test_a_file_can_be_withheld_by_its_name(serve, root):
    (root / "users.txt").write_text("me:secret")
    running = serve(folder=FolderOptions(never=(root / "users.txt",), hidden=True))

    assert running.get("/users.txt").status == 404
    assert "users.txt" not in running.get("/").text
