"""R3GAN on CIFAR-10, conditional (Huang et al. 2024), as published.

The paper's table 9: residual networks of 768 channels, relativistic pairing loss with R1 and R2,
batches of 512, 250 million images. Over the first 20 million a cosine takes the rate from 2e-4 to
5e-5, b2 from 0.9 to 0.99, the weight of both penalties (gamma) from 0.05 to 0.005, the half-life of
the average from 0 to 5 million images, and the probability of augmentation, by ADA's
transformations, from 0 to 0.55. All hidden layers compute in bfloat16, and there those of the three
largest sizes.

Published: FID 1.96 in 4 days on eight L40. Not yet reproduced here.

    python launch.py --config=configs/cifar10_r3gan.py
"""

from ml_collections import ConfigDict

from configs import default


def get_config() -> ConfigDict:
    """Returns the config."""
    config = default.get_config()
    config.data.name = "cifar10"
    config.data.augment.flip = 0.5
    config.latent_dim = 64
    config.conditional = True
    with config.unlocked():
        config.generator = ConfigDict({"family": "r3gan"})
        config.discriminator = ConfigDict({"family": "r3gan", "conditioning": "projection"})
    config.precision = "bfloat16"
    config.augment.name = "fixed"
    config.augment.policy = "r3gan"
    config.augment.probability = 0.55
    config.augment.schedule = "cosine"
    config.augment.images = 20e6
    config.batch_size = 512
    config.total_steps = 488_280
    burn_in(config, images=20e6, gamma=(0.05, 0.005), half_life=5e6)
    return config


def burn_in(
    config: ConfigDict, *, images: float, gamma: tuple[float, float], half_life: float
) -> None:
    """Sets what changes along a cosine over the first `images` images, as R3GAN has it."""
    config.penalties.r1 = config.penalties.r2 = gamma[0]
    config.penalty_schedule.schedule = "cosine"
    config.penalty_schedule.images = images
    config.penalty_schedule.final = gamma[1] / gamma[0]
    for optimizer in (config.generator_optimizer, config.discriminator_optimizer):
        optimizer.learning_rate = 2e-4
        optimizer.schedule = "cosine"
        optimizer.images = images
        optimizer.final = 0.25
        optimizer.b2 = 0.9
        optimizer.b2_final = 0.99
    config.ema.half_life = 1.0  # of an image: next to nothing
    config.ema.schedule = "cosine"
    config.ema.images = images
    config.ema.final = half_life
    config.ema.ramp = 0.0
