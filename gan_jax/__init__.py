"""GANs as pure jitted update functions."""
