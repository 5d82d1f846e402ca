"""A small R3GAN on Fashion-MNIST, for one GPU: minutes.

The recipe of `stacked_mnist_r3gan.py` (Huang et al. 2024) with one block a stage and 192, 128 and
64 channels, batches of 128 and a burn-in of 200,000 images, over which gamma goes from 0.5 to 0.1,
the rate from 4e-4 to 2e-4 and the half-life of the average from 0 to 30,000 images.

Seen on an H200, in bfloat16 (float32 now; `stacked_mnist_r3gan.py` says why): after 5,000 updates
`fd_classifier` 4.71 (held-out reals: 0.035; one run, 10,000 samples), all ten modes, at 10,400 to
19,200 images a second; that run ended at update 5,750 with CUDA_ERROR_LAUNCH_FAILED, whose cause
was not found.

    python launch.py --config=configs/fashion_r3gan.py --config.data.name=idx:FOLDER
"""

from ml_collections import ConfigDict

from configs import cifar10_r3gan, stacked_mnist_r3gan


def get_config() -> ConfigDict:
    """Returns the config."""
    config = stacked_mnist_r3gan.get_config()
    config.data.name = "idx:/usr/share/datasets/fashion-mnist"
    config.data.image_size = 0
    for network in (config.generator, config.discriminator):
        with network.unlocked():
            network.update({"widths": (192, 128, 64), "blocks": 1})
    cifar10_r3gan.burn_in(config, images=200e3, gamma=(0.5, 0.1), half_life=30e3)
    for optimizer in (config.generator_optimizer, config.discriminator_optimizer):
        optimizer.learning_rate = 4e-4
        optimizer.final = 0.5
    config.batch_size = 128
    config.total_steps = 40_000
    config.log_every = 50
    config.sample_every = 500
    return config
