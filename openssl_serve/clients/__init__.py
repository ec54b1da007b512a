"""The clients of this machine, each asked by a real handshake whether it trusts what is kept here.

A client is a program that speaks TLS: which there are, how each is asked, and what its answer
means. Nothing is changed by asking, and no network is needed.
"""
