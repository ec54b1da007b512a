"""WebSockets (RFC 6455), the server's end: its handshake and its frames, from bytes to values."""
