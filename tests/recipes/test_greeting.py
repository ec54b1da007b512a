"""A test with the fixtures of the pytest plugin; it is part of this suite."""

import requests


def test_greeting(tmp_path, openssl_serve_ca, openssl_serve_server):
    (tmp_path / "hello.txt").write_text("hello")

    with openssl_serve_server(tmp_path, "my.test") as server:
        url, ca = server.url + "hello.txt", openssl_serve_ca.cert_path
        response = requests.get(url, verify=str(ca), timeout=10)

    assert response.text == "hello"
