"""R3GAN's schedules on the small networks (Huang et al. 2024).

Loss and penalties of `mnist_mlp.py`. As in the authors' presets, over the run a cosine takes the
rate to a quarter, the weight of R1 and R2 to a tenth, and Adam's second beta from 0.9 to 0.99.

    python launch.py --config=configs/r3gan_mlp.py
"""

from ml_collections import ConfigDict

from configs import default


def get_config() -> ConfigDict:
    """Returns the config."""
    config = default.get_config()
    config.penalty_schedule.schedule = "cosine"
    config.penalty_schedule.final = 0.1
    for optimizer in (config.generator_optimizer, config.discriminator_optimizer):
        optimizer.schedule = "cosine"
        optimizer.final = 0.25
        optimizer.b2 = 0.9
        optimizer.b2_final = 0.99
    return config
