"""The command line: one file a group of commands, render.py for all words that reach a terminal."""
