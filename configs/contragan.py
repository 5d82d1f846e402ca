"""ContraGAN: a conditional contrastive loss on embeddings of images and labels (Kang & Park 2020).

The rest as in `sngan.py`. Expect ten digits, each in a class of its own, but of another class than
was asked for: in a batch with many images of a class these outweigh its proxy, and a permutation of
the classes is a resting point of the loss. Its authors saw that too (issue 81 of their repository,
PyTorch-StudioGAN), and mended it in ReACGAN: `reacgan.py`.

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
