"""Flax networks, one family a file."""
