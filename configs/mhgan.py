"""A GAN with an auxiliary classifier under the multi-class hinge loss (Kavalerov et al. 2021).

The paper's discriminator projects on the class as well, this one does not; and its generator gives
the class loss a tenth of the weight, this one the same. The rest as in `sngan.py`.

    python launch.py --config=configs/mhgan.py
"""

from ml_collections import ConfigDict

from configs import sngan


def get_config() -> ConfigDict:
    """Returns the config."""
    config = sngan.get_config()
    config.conditional = True
    config.discriminator.conditioning = "classifier"
    config.class_loss = "multi_hinge"
    return config
