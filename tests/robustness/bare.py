"""What a TLS connection costs in Python at the least: a server that keeps sockets and nothing else.

`bare.py CERT KEY` answers one request on each connection, in order, and says where it listens.
"""

import resource
import socket
import ssl
import sys


def main():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*sys.argv[1:])
    context.num_tickets = 1
    kept = []
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        print(f"https://127.0.0.1:{listener.getsockname()[1]}/", flush=True)
        while True:
            accepted, _ = listener.accept()
            tls = context.wrap_socket(accepted, server_side=True)
            tls.recv(16384)
            tls.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            kept.append(tls)


if __name__ == "__main__":
    main()
