"""BigGAN on CIFAR-10 (Brock et al. 2019), as in the script of the authors' PyTorch code.

256 channels everywhere (a width of 64), latents of 128 that are not cut, a table of the class in
each normalization, kernels drawn with a deviation of 0.02; hinge loss, batches of 50, four updates
of the discriminator for each of 125,000 of the generator, Adam at 2e-4 with betas 0 and 0.999, an
average of decay 0.9999.

Published for this recipe: FID 9.78 and Inception score 8.70 at 97,500 updates (MMGeneration); the
paper's own networks 14.73 and 9.22. A StudioGAN run of its variant took 12.8 hours on its GPU. Not
yet reproduced here.

    python launch.py --config=configs/cifar10_biggan.py
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
        config.generator = ConfigDict(
            {
                "family": "biggan",
                "width": 64,
                "hierarchical": False,
                "shared_embedding": 0,
                "initialization": "small",
            }
        )
        config.discriminator = ConfigDict(
            {
                "family": "biggan",
                "width": 64,
                "conditioning": "projection",
                "initialization": "small",
            }
        )
    config.loss = "hinge"
    config.fake_labels = "uniform"
    config.penalties.r1 = 0.0
    config.penalties.r2 = 0.0
    config.batch_size = 50
    config.d_steps = 4
    config.total_steps = 125_000
    for optimizer in (config.generator_optimizer, config.discriminator_optimizer):
        optimizer.learning_rate = 2e-4
        optimizer.b2 = 0.999
    config.ema.half_life = 346_000.0  # a decay of 0.9999 for every 50 images
    config.ema.ramp = 0.0
    return config
