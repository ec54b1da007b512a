"""Trust stores, one a file: check, install, uninstall; what is in them, and the proof of it.

Nothing here asks for rights that the user does not have, and nothing is said to be trusted before
somebody who is not us has said so.
"""
