"""SAGAN on ImageNet at 128 x 128 (Zhang et al. 2019), conditional.

Residual networks of 64 channels a step with self-attention at 32 x 32, both spectrally normalized;
hinge loss, batches of 256, one update of each network a step, Adam at 1e-4 and, for the
discriminator, 4e-4 with betas 0 and 0.9 (the paper's; the authors' code has 0.999), a million of
them. Classes of fakes are uniform. Samples are of an averaged generator, which is ours.

Published: FID 18.65 and Inception score 52.52 (the paper, several weeks on four GPUs); by others
with these numbers FID 34.78 (MMGeneration). Not yet reproduced here. The data are a folder of
folders, one a class:

    python launch.py --config=configs/imagenet128_sagan.py --config.data.name=folder:IMAGENET
"""

from ml_collections import ConfigDict

from configs import cifar10_sngan


def get_config() -> ConfigDict:
    """Returns the config."""
    config = cifar10_sngan.get_config()
    config.data.name = "folder:imagenet"
    config.data.image_size = 128
    with config.unlocked():
        config.generator = ConfigDict({"family": "sagan"})
        config.discriminator = ConfigDict({"family": "sagan", "conditioning": "projection"})
    config.batch_size = 256
    config.d_steps = 1
    config.total_steps = 1_000_000
    config.generator_optimizer.learning_rate = 1e-4
    config.discriminator_optimizer.learning_rate = 4e-4
    for optimizer in (config.generator_optimizer, config.discriminator_optimizer):
        optimizer.schedule = "constant"
    return config
