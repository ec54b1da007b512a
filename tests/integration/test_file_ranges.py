"""Several parts of a file in one response, over a real socket."""

import email
import email.policy
import os

import pytest

from openssl_serve.handlers.representation import SMALL


@pytest.fixture(params=[10, SMALL + 1, 600_000], ids="{} bytes".format)
def content(request, root):
    data = os.urandom(request.param)
    (root / "file.bin").write_bytes(data)
    return data


def parts_of(answer):
    data = b"Content-Type: %b\r\n\r\n%b" % (answer.get(b"content-type"), answer.body)
    message = email.message_from_bytes(data, policy=email.policy.HTTP)
    return [(part["Content-Range"], part.get_payload(decode=True)) for part in message.iter_parts()]


def test_each_part_comes_with_its_place(server, content):
    size = len(content)
    answer = server.get("/file.bin", b"Range: bytes=-2, 0-0, 3-5")

    assert answer.status == 206
    assert (answer.get(b"content-type") or b"").startswith(b"multipart/byteranges; boundary=")
    assert answer.get(b"content-range") is None
    assert answer.get(b"content-length") == b"%d" % len(answer.body)
    assert answer.get(b"etag") == server.get("/file.bin").get(b"etag")
    assert parts_of(answer) == [
        (f"bytes {size - 2}-{size - 1}/{size}", content[-2:]),
        (f"bytes 0-0/{size}", content[:1]),
        (f"bytes 3-5/{size}", content[3:6]),
    ]


@pytest.mark.parametrize(("value", "stop"), [(b"0-3,2-5", 6), (b"0-1,2-3", 4), (b"1-2,0-0", 3)])
def test_what_overlaps_or_touches_comes_as_one(server, content, value, stop):
    answer = server.get("/file.bin", b"Range: bytes=" + value)

    assert (answer.status, answer.body) == (206, content[:stop])
    assert answer.get(b"content-range") == b"bytes 0-%d/%d" % (stop - 1, len(content))


def test_parts_beyond_the_file_are_left_out(server, content):
    answer = server.get("/file.bin", b"Range: bytes=99999999-,0-1")

    assert (answer.status, answer.body) == (206, content[:2])
    assert server.get("/file.bin", b"Range: bytes=99999999-,-0").status == 416


def test_more_parts_than_any_reader_needs_are_the_whole(server, content):
    """CVE-2011-3192: the sum of the parts is never more than the file."""
    for value in (b",".join(b"%d-%d" % (n, n) for n in range(0, 34, 2)), b"0-," * 1000 + b"0-"):
        answer = server.get("/file.bin", b"Range: bytes=" + value)
        assert (answer.status, answer.body) == (200, content)
    answer = server.get("/file.bin", b"Range: bytes=" + b",".join([b"0-"] * 16))
    assert (answer.status, answer.body) == (206, content)


def test_parts_are_only_sent_of_the_state_that_the_client_has(server, content):
    parts = b"Range: bytes=0-0,-1"
    tag = server.get("/file.bin").get(b"etag") or b""

    assert server.get("/file.bin", parts, b"If-Range: " + tag).status == 206
    assert server.get("/file.bin", parts, b'If-Range: "other"').body == content
    assert server.get("/file.bin", parts, b"If-None-Match: " + tag).status == 304


def test_the_connection_stays_in_step_after_parts(server, content):
    with server.tls() as client:
        for _ in range(3):
            assert len(parts_of(client.get("/file.bin", b"Range: bytes=0-0,-1"))) == 2
        assert client.get("/a.txt").status == 200
        head = client.get("/file.bin", b"Range: bytes=0-0,-1", method=b"HEAD")
    assert head.status == 200


def test_a_file_that_shrinks_between_its_parts_ends_short(server, root):
    """The client learns that something is missing; it is not padded."""
    (root / "file.bin").write_bytes(bytes(40_000_000))
    with server.tls() as client:
        client.send(
            b"GET /file.bin HTTP/1.1\r\nHost: localhost\r\nRange: bytes=0-9,20-39999999\r\n\r\n"
        )
        client.left = client.sock.recv(1000)
        os.truncate(root / "file.bin", 1000)
        received = client.rest()
    assert len(received) < 40_000_000
