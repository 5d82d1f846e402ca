"""SNGAN on CIFAR-10 (Miyato et al. 2018), conditional by projection (Miyato & Koyama 2018).

As the authors' code has it: residual networks of 256 and 128 channels, hinge loss, Adam at 2e-4
with betas 0 and 0.9 and a line down to 0 over 50,000 updates of the generator, five of the
discriminator for each. Its batches are 64, and 128 for the generator; here both are 64, and samples
are of an averaged generator.

Published: FID 21.7 and Inception score 8.22 unconditional (the paper); FID 16.77 and 7.97
unconditional, 10.84 and 8.25 conditional (Lee & Town 2020, "Mimicry", 100,000 updates). A StudioGAN
run of the conditional one took 9.4 hours on its GPU. Not yet reproduced here.

    python launch.py --config=configs/cifar10_sngan.py

Without classes it takes, beside that, `--config.conditional=False --config.fake_labels=data
--config.discriminator.conditioning=concatenate`.
"""

from ml_collections import ConfigDict

from configs import default


def get_config() -> ConfigDict:
    """Returns the config."""
    config = default.get_config()
    config.data.name = "cifar10"
    config.latent_dim = 128
    config.conditional = True
    with config.unlocked():
        config.generator = ConfigDict({"family": "sngan", "width": 64})
        config.discriminator = ConfigDict(
            {"family": "sngan", "width": 64, "conditioning": "projection"}
        )
    config.loss = "hinge"
    config.fake_labels = "uniform"
    config.penalties.r1 = 0.0
    config.penalties.r2 = 0.0
    config.batch_size = 64
    config.d_steps = 5
    config.total_steps = 50_000
    for optimizer in (config.generator_optimizer, config.discriminator_optimizer):
        optimizer.learning_rate = 2e-4
        optimizer.b2 = 0.9
        optimizer.schedule = "linear"
    return config
