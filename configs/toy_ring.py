"""Eight Gaussians on a ring: the dynamics of a GAN, to look at (`samples/` holds scatter plots).

Relativistic pairing loss with R1 and R2, gamma 0.1; both networks 4 x 128, two latents, units in
which the data have mean 0 and deviation 1. Half a minute on two cores; 93 % of the samples then lie
within three sigma of a mode, and all eight are found. The grid of 25 wants 25,000 updates: 94 %.

    python launch.py --config=configs/toy_ring.py
    python launch.py --config=configs/toy_ring.py --config.data.name=toy:grid25 --workdir=runs/grid
"""

from ml_collections import ConfigDict

from configs import default


def get_config() -> ConfigDict:
    """Returns the config."""
    config = default.get_config()
    config.data.name = "toy:ring8"
    config.latent_dim = 2
    config.generator.widths = (128, 128, 128, 128)
    config.generator.output = "linear"
    config.data.normalize = "standardize"
    config.discriminator.widths = (128, 128, 128, 128)
    config.penalties.r1 = 0.1
    config.penalties.r2 = 0.1
    for optimizer in (config.generator_optimizer, config.discriminator_optimizer):
        optimizer.learning_rate = 2e-3
        optimizer.schedule = "cosine"
    config.ema.half_life = 64_000.0  # 500 steps
    config.total_steps = 8_000
    return config
