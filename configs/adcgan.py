"""As `acgan.py`, but the classifier tells reals from fakes too (Hou et al. 2022, ADC-GAN).

python launch.py --config=configs/adcgan.py
"""

from ml_collections import ConfigDict

from configs import cgan


def get_config() -> ConfigDict:
    """Returns the config."""
    config = cgan.get_config()
    config.discriminator.conditioning = "twin_classifier"
    config.class_loss = "discriminative"
    return config
