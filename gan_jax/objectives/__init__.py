"""Losses and penalties: pure functions that know no network."""
