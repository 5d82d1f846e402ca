"""A spectrally normalized GAN (Miyato et al. 2018).

Hinge loss, spectral normalization of the whole discriminator, batch normalization in the generator,
five updates of the discriminator for each of the generator, Adam at 2e-4 with betas 0 and 0.9: the
paper's setting for its ResNets, on the networks and data of `mnist_mlp.py`.

    python launch.py --config=configs/sngan.py
"""

from ml_collections import ConfigDict

from configs import gan


def get_config() -> ConfigDict:
    """Returns the config."""
    config = gan.get_config()
    config.loss = "hinge"
    config.generator.norm = "batch"
    config.discriminator.spectral = True
    config.d_steps = 5
    for optimizer in (config.generator_optimizer, config.discriminator_optimizer):
        optimizer.learning_rate = 2e-4
        optimizer.b1 = 0.0
        optimizer.b2 = 0.9
    return config
