"""Certificates: what we ask for, what is in one, how they are made and kept."""
