"""R3GAN on Stacked MNIST (Huang et al. 2024), as published but for the precision: a thousand modes.

The networks of `cifar10_r3gan.py` without classes, relativistic pairing loss with R1 and R2,
batches of 512, 10 million images. Over the first 2 million gamma goes from 1 to 0.1, b2 from 0.9 to
0.99 and the half-life of the average from 0 to 0.5 million images; the rate stays at 2e-4; nothing
is augmented. Protocol and evaluation are those of `stacked_mnist.py`.

In float32, where the paper has bfloat16 for the three largest sizes: in bfloat16 discriminators
were seen to tell digits by how their even black is rounded; see `stacked_mnist_r3gan_small.py`.

Published: 1,000 modes and a KL of 0.029, in 7 hours on eight L40. Not yet reproduced here. The
digits are those that come with the requirements, 4,000 to train on; with the full MNIST, its four
files as published in one folder:

    python launch.py --config=configs/stacked_mnist_r3gan.py --config.data.name=stacked:idx:FOLDER
"""

from ml_collections import ConfigDict

from configs import cifar10_r3gan, default


def get_config() -> ConfigDict:
    """Returns the config."""
    config = cifar10_r3gan.get_config()
    config.data.name = "stacked:mnist_5k"
    config.data.image_size = 32
    config.data.augment.flip = 0.0
    config.augment = default.get_config().augment
    config.conditional = False
    config.precision = "float32"
    config.discriminator.conditioning = "concatenate"
    cifar10_r3gan.burn_in(config, images=2e6, gamma=(1.0, 0.1), half_life=0.5e6)
    for optimizer in (config.generator_optimizer, config.discriminator_optimizer):
        optimizer.final = 1.0
    config.total_steps = 19_530
    return config
