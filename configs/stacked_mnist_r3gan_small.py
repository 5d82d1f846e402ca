"""A small R3GAN on Stacked MNIST, for one GPU: minutes.

The recipe of `stacked_mnist_r3gan.py` (Huang et al. 2024) with one block a stage and 192, 192, 128
and 64 channels, batches of 128, and a burn-in of 500,000 images, over which gamma goes from 1 to
0.1 and the half-life of the average from 0 to 50,000 images; the rate goes from 4e-4 to 1e-4 and
b2 from 0.9 to 0.99 over 2.5 million.

Not trained in float32 here. Seen in bfloat16, one run each, 26,000 samples: 986 modes of 1,000 and
a KL of 0.411 (held-out stacks: 0.019) after 22,860 updates in 4 minutes on an H100, at 14,000
images a second; with the full MNIST and longer schedules, on an H200, 614 and 1.856 (0.026) after
32,530. At their ends the discriminators keep reals and fakes 5.0 and 2.8 apart, but not at all
where the same weights compute in float32: see `tests/benchmarks/rounding.py`.

    python launch.py --config=configs/stacked_mnist_r3gan_small.py
    python launch.py --mode=evaluate --workdir=runs/stacked_mnist_r3gan_small --num_samples=26000
"""

from ml_collections import ConfigDict

from configs import cifar10_r3gan, stacked_mnist_r3gan


def get_config() -> ConfigDict:
    """Returns the config."""
    config = stacked_mnist_r3gan.get_config()
    for network in (config.generator, config.discriminator):
        with network.unlocked():
            network.update({"widths": (192, 192, 128, 64), "blocks": 1})
    cifar10_r3gan.burn_in(config, images=500e3, gamma=(1.0, 0.1), half_life=50e3)
    for optimizer in (config.generator_optimizer, config.discriminator_optimizer):
        optimizer.learning_rate = 4e-4
        optimizer.images = 2.5e6
    config.batch_size = 128
    config.total_steps = 23_000
    return config
