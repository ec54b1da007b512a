"""The command that `run` starts: its words, environment, process group, and the port it opens."""
