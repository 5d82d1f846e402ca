"""A conditional GAN whose discriminator projects on the class (Miyato & Koyama 2018).

Else as `cgan.py`.

    python launch.py --config=configs/projection_gan.py
"""

from ml_collections import ConfigDict

from configs import cgan


def get_config() -> ConfigDict:
    """Returns the config."""
    config = cgan.get_config()
    config.discriminator.conditioning = "projection"
    return config
