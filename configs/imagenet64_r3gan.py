"""R3GAN on ImageNet at 64 x 64 (Huang et al. 2024), conditional, as published.

The networks of `cifar10_r3gan.py` with 1,536 channels everywhere, in groups of 32: 104 and 107
million parameters. Batches of 4,096, a billion images. Over the first 200 million gamma goes from 1
to 0.1, the half-life of the average from 0 to 50 million images, and the probability of
augmentation from 0 to 0.4.

Published: FID 2.09; the appendix speaks of one day on 32 H100, and of about 5,000 hours of one. Not
yet reproduced here. The data are a folder of folders, one a class:

    python launch.py --config=configs/imagenet64_r3gan.py --config.data.name=folder:IMAGENET
"""

from ml_collections import ConfigDict

from configs import cifar10_r3gan

_WIDTHS = (1536,) * 5


def get_config() -> ConfigDict:
    """Returns the config."""
    config = cifar10_r3gan.get_config()
    config.data.name = "folder:imagenet"
    config.data.image_size = 64
    for network in (config.generator, config.discriminator):
        with network.unlocked():
            network.update({"widths": _WIDTHS, "group_size": 32})
    cifar10_r3gan.burn_in(config, images=200e6, gamma=(1.0, 0.1), half_life=50e6)
    config.augment.probability = 0.4
    config.augment.images = 200e6
    config.batch_size = 4_096
    config.total_steps = 244_140
    return config
