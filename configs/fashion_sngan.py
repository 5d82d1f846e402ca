"""SNGAN's residual networks on Fashion-MNIST: 60,000 pictures of clothes, 28 x 28.

The paper's recipe for CIFAR-10 (Miyato et al. 2018): hinge loss, spectral normalization of the
discriminator, batch normalization in the generator, Adam at 2e-4 with betas 0 and 0.9, a line down
to 0, batches of 64. Smaller for two CPU cores: 32 channels in both networks in place of 256 and
128, and two updates of the discriminator for each of the generator in place of five.

Seen on two cores, in 50 minutes: `fd_classifier` 12.74 (held-out images: 0.04; one run), all ten
modes; some clothes are torn. The MLPs of `fashion_mlp.py` come to 1.27 in 11 minutes.

The four files as published in one folder; Debian's package `dataset-fashion-mnist` puts them into
the folder named here.

    python launch.py --config=configs/fashion_sngan.py --config.data.name=idx:FOLDER
"""

from ml_collections import ConfigDict

from configs import default


def get_config() -> ConfigDict:
    """Returns the config."""
    config = default.get_config()
    config.data.name = "idx:/usr/share/datasets/fashion-mnist"
    config.latent_dim = 128
    with config.unlocked():
        config.generator = ConfigDict({"family": "sngan", "width": 8})
        config.discriminator = ConfigDict({"family": "sngan", "width": 16})
    config.loss = "hinge"
    config.penalties.r1 = 0.0
    config.penalties.r2 = 0.0
    config.batch_size = 64
    config.d_steps = 2
    config.total_steps = 5_000
    for optimizer in (config.generator_optimizer, config.discriminator_optimizer):
        optimizer.learning_rate = 2e-4
        optimizer.b2 = 0.9
        optimizer.schedule = "linear"
    config.sample_every = 500
    config.checkpoint_every = 500
    return config
