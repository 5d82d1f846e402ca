"""A conditional GAN whose discriminator also classifies (Odena et al. 2017); else as `cgan.py`.

python launch.py --config=configs/acgan.py
"""

from ml_collections import ConfigDict

from configs import cgan


def get_config() -> ConfigDict:
    """Returns the config."""
    config = cgan.get_config()
    config.discriminator.conditioning = "classifier"
    config.class_loss = "auxiliary"
    return config
