"""One file per experiment: its delta from `default.py`."""
