"""Relativistic average with a gradient penalty, RaSGAN-GP (Jolicoeur-Martineau 2018).

Judged against the mean of the others, with one discriminator update a step, where WGAN-GP takes
five. The rest as in `gan.py`. Without the penalty the discriminator wins: it told every fake from
update 100 on in the run of seed 0, which ended in noise.

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
