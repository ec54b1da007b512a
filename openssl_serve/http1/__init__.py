"""HTTP/1.1 as bytes and values (RFC 9110, RFC 9112): parsing, writing, fields. No sockets here."""
