"""Relativistic average with a gradient penalty, RaSGAN-GP (Jolicoeur-Martineau 2018).

Judged against the mean of the others; one discriminator update a step, which the paper contrasts
with the five of WGAN-GP. Without the penalty the discriminator of these networks wins within 100
updates, and the generator ends in noise. The rest as in `gan.py`.

python launch.py --config=configs/ragan.py
"""

from ml_collections import ConfigDict

from configs import gan


def get_config() -> ConfigDict:
    """Returns the config."""
    config = gan.get_config()
    config.loss = "relativistic_average"
    config.penalties.wgan_gp = 10.0
    return config
