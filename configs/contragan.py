"""ContraGAN: a conditional contrastive loss on embeddings of images and labels (Kang & Park 2020).

The rest as in `sngan.py`.

    python launch.py --config=configs/contragan.py
"""

from ml_collections import ConfigDict

from configs import sngan


def get_config() -> ConfigDict:
    """Returns the config."""
    config = sngan.get_config()
    config.conditional = True
    config.discriminator.conditioning = "proxies"
    config.class_loss = "contrastive"
    return config
