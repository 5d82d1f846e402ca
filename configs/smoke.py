"""Seconds, not minutes: tiny networks, 40 steps, every part of the machine once. For tests.

python launch.py --config=configs/smoke.py
"""

from ml_collections import ConfigDict

from configs import default


def get_config() -> ConfigDict:
    """Returns the config."""
    config = default.get_config()
    config.latent_dim = 8
    config.generator.widths = (16,)
    config.discriminator.widths = (16,)
    config.batch_size = 8
    config.total_steps = 40
    config.steps_per_call = 2
    config.log_every = 4
    config.sample_every = 20
    config.checkpoint_every = 10
    return config
