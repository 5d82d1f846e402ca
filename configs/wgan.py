"""The Wasserstein GAN with clipped weights (Arjovsky et al. 2017).

The critic's weights stay within 0.01, five updates of the critic for each of the generator. Adam
without momentum stands for the paper's RMSProp, which it is but for the correction of its first
steps; rate 5e-5. Networks and data as in `mnist_mlp.py`.

    python launch.py --config=configs/wgan.py
"""

from ml_collections import ConfigDict

from configs import gan


def get_config() -> ConfigDict:
    """Returns the config."""
    config = gan.get_config()
    config.loss = "wasserstein"
    config.d_steps = 5
    config.discriminator_optimizer.clip_weights = 0.01
    for optimizer in (config.generator_optimizer, config.discriminator_optimizer):
        optimizer.learning_rate = 5e-5
        optimizer.b1 = 0.0
        optimizer.b2 = 0.99
    return config
