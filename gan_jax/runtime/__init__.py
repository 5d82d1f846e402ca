"""Thin wrappers of what touches the machine: devices, files, processes."""
