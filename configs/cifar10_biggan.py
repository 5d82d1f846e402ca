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

from configs import cifar10_sngan

_SETTINGS = {"family": "biggan", "width": 64, "initialization": "small"}


def get_config() -> ConfigDict:
    """Returns the config."""
    config = cifar10_sngan.get_config()
    with config.unlocked():
        config.generator = ConfigDict({**_SETTINGS, "hierarchical": False, "shared_embedding": 0})
        config.discriminator = ConfigDict({**_SETTINGS, "conditioning": "projection"})
    config.batch_size = 50
    config.d_steps = 4
    config.total_steps = 125_000
    for optimizer in (config.generator_optimizer, config.discriminator_optimizer):
        optimizer.b2 = 0.999
        optimizer.schedule = "constant"
    config.ema.half_life = 346_000.0  # a decay of 0.9999 for every 50 images
    config.ema.ramp = 0.0
    return config
