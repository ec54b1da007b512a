"""The reverse proxy: requests passed on to an upstream server, and its responses back.

    Proxy (the handler) ── Relay (one request) ── Link (one connection) ── Links (those kept)

All of it runs in the server's loop and never blocks.
"""
