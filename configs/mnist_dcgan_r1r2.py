"""DCGAN's networks under the objective of `mnist_mlp.py`: cleaner digits than `mnist_dcgan.py`.

Relativistic pairing loss with R1 and R2 (Huang et al. 2024, "The GAN is dead; long live the GAN!"),
Adam with betas 0 and 0.99, averaged generator; no normalization in either network. The digits are
enlarged to 32 x 32, so that three stages fit in place of two, 4 to 8 to 16 to 32: at 28 x 28 the
discriminator compares pieces of 10 x 10 pixels only, and digits fell apart with every weight of the
penalties (0.1, 0.3, 1) and every rate (2e-4, 5e-4, 1e-3) that was tried.

    python launch.py --config=configs/mnist_dcgan_r1r2.py
"""

from ml_collections import ConfigDict

from configs import default


def get_config() -> ConfigDict:
    """Returns the config."""
    config = default.get_config()
    config.data.image_size = 32
    with config.unlocked():
        config.generator = ConfigDict(
            {"family": "dcgan", "width": 32, "norm": "none", "activation": "leaky_relu"}
        )
        config.discriminator = ConfigDict({"family": "dcgan", "width": 32, "norm": "none"})
    config.penalties.r1 = 1.0
    config.penalties.r2 = 1.0
    config.batch_size = 64
    for optimizer in (config.generator_optimizer, config.discriminator_optimizer):
        optimizer.learning_rate = 1e-3
        optimizer.schedule = "cosine"
    config.sample_every = 500
    config.checkpoint_every = 500
    return config
