"""WSGI apps (PEP 3333): requests answered by Python code of the user's, in threads.

    Wsgi (the handler) ── Intake (content comes in) ── Call (the app, in a thread) ── Outlet

All but Call and what it uses runs in the server's loop and never blocks.
"""
