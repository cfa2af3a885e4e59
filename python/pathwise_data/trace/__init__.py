"""Reads the files that `--record` writes."""
