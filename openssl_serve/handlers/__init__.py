"""Handlers: each turns a Request into a Response. None of them touches a socket."""
