"""WGAN-GP's residual networks on CIFAR-10 (Gulrajani et al. 2017).

As the authors' code has it: 128 channels in both networks, no normalization in the critic, whose
head sees means over positions; Wasserstein loss with gradient penalty 10, five updates of the
critic for each of 100,000 of the generator, Adam at 2e-4 with betas 0 and 0.9 and a line down to 0.
Its batches are 64, and 128 for the generator; here both are 64, and samples are of an average.

Published: Inception score 7.86 unconditional; FID 22.29 with a generator of 256 channels (Lee &
Town 2020, "Mimicry"). A StudioGAN run took 10.8 hours on its GPU. Not yet reproduced here.

    python launch.py --config=configs/cifar10_wgan_gp.py
"""

from ml_collections import ConfigDict

from configs import cifar10_sngan


def get_config() -> ConfigDict:
    """Returns the config."""
    config = cifar10_sngan.get_config()
    config.conditional = False
    config.fake_labels = "data"
    with config.unlocked():
        config.generator = ConfigDict({"family": "sngan", "width": 32})
        config.discriminator = ConfigDict(
            {"family": "sngan", "width": 64, "spectral": False, "pool": "mean"}
        )
    config.loss = "wasserstein"
    config.penalties.wgan_gp = 10.0
    config.total_steps = 100_000
    return config
