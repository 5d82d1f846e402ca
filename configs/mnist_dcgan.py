"""A DCGAN on handwritten digits (Radford et al. 2016), as published, with an averaged generator.

Non-saturating loss, batch normalization in both networks, Adam at 2e-4 with b1 = 0.5, batches of
128: the paper's. Its images have 64 x 64 pixels; at 28 x 28 the networks are the two stages of them
that fit, 7 to 14 to 28.

    python launch.py --config=configs/mnist_dcgan.py
"""

from ml_collections import ConfigDict

from configs import default


def get_config() -> ConfigDict:
    """Returns the config."""
    config = default.get_config()
    with config.unlocked():
        config.generator = ConfigDict({"family": "dcgan", "width": 64, "norm": "batch"})
        config.discriminator = ConfigDict({"family": "dcgan", "width": 64, "norm": "batch"})
    config.loss = "non_saturating"
    config.penalties.r1 = 0.0
    config.penalties.r2 = 0.0
    for optimizer in (config.generator_optimizer, config.discriminator_optimizer):
        optimizer.learning_rate = 2e-4
        optimizer.b1 = 0.5
        optimizer.b2 = 0.999
    config.total_steps = 4_000
    config.sample_every = 500
    config.checkpoint_every = 500
    return config
