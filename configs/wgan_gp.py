"""Wasserstein GAN with gradient penalty (Gulrajani et al. 2017).

Lambda 10, five updates of the critic for each of the generator, Adam at 1e-4 with betas 0 and 0.9;
networks and data as in `mnist_mlp.py`. For as many updates of the generator, the critic sees five
times the images of the others here.

    python launch.py --config=configs/wgan_gp.py
"""

from ml_collections import ConfigDict

from configs import gan


def get_config() -> ConfigDict:
    """Returns the config."""
    config = gan.get_config()
    config.loss = "wasserstein"
    config.penalties.wgan_gp = 10.0
    config.d_steps = 5
    for optimizer in (config.generator_optimizer, config.discriminator_optimizer):
        optimizer.learning_rate = 1e-4
        optimizer.b1 = 0.0
        optimizer.b2 = 0.9
    return config
