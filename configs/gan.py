"""The first GAN: non-saturating cross-entropy and no penalty (Goodfellow et al. 2014).

Networks, data, batch and number of updates are those of `mnist_mlp.py`, as in every classical GAN
here; Adam at 2e-4 with betas 0.5 and 0.999 (Radford et al. 2016), as was usual then. Unlike
`mnist_mlp_article.py` it has leaky ReLU and the averaged generator.

    python launch.py --config=configs/gan.py
"""

from ml_collections import ConfigDict

from configs import default


def get_config() -> ConfigDict:
    """Returns the config."""
    config = default.get_config()
    config.loss = "non_saturating"
    config.penalties.r1 = 0.0
    config.penalties.r2 = 0.0
    for optimizer in (config.generator_optimizer, config.discriminator_optimizer):
        optimizer.learning_rate = 2e-4
        optimizer.b1 = 0.5
        optimizer.b2 = 0.999
    return config
