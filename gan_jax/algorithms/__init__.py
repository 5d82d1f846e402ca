"""What is learned: pure init, update and sample functions."""
