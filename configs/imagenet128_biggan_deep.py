"""BigGAN-deep on ImageNet at 128 x 128 (Brock et al. 2019), conditional.

128 channels a step, two blocks a stage, self-attention at 64 x 64, latents of 128 that every block
reads beside one embedding of the class; orthogonal kernels, orthogonal regularization; hinge loss,
batches of 2,048, two updates of the discriminator for each of the generator, Adam at 5e-5 and, for
the discriminator, 2e-4 with betas 0 and 0.999, an average of decay 0.9999. The length is that of
compare_gan's BigGAN, 250,000 updates.

Published: FID 7.4 at an Inception score of 166.5, truncated; by 128 to 512 cores of a TPU v3 pod.
Not yet reproduced here. The data are a folder of folders, one a class:

    python launch.py --config=configs/imagenet128_biggan_deep.py --config.data.name=folder:IMAGENET
"""

from ml_collections import ConfigDict

from configs import imagenet128_sagan


def get_config() -> ConfigDict:
    """Returns the config."""
    config = imagenet128_sagan.get_config()
    with config.unlocked():
        config.generator = ConfigDict({"family": "biggan_deep"})
        config.discriminator = ConfigDict({"family": "biggan_deep", "conditioning": "projection"})
    config.generator_penalties.orthogonal = 1e-4
    config.batch_size = 2_048
    config.d_steps = 2
    config.total_steps = 250_000
    config.generator_optimizer.learning_rate = 5e-5
    config.discriminator_optimizer.learning_rate = 2e-4
    for optimizer in (config.generator_optimizer, config.discriminator_optimizer):
        optimizer.b2 = 0.999
    config.ema.half_life = 14_200_000.0  # a decay of 0.9999 for every 2,048 images
    config.ema.ramp = 0.0
    return config
