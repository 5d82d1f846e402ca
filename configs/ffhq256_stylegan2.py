"""StyleGAN2 on FFHQ at 256 x 256 (Karras et al. 2020), as in the baseline of the ADA paper.

Half as many channels as at 1024 x 1024 (`channel_base`), non-saturating loss, R1 with gamma 1 at
every 16th update, path length with weight 2 at every 4th, styles mixed nine times in ten, Adam at
2.5e-3 with betas 0 and 0.99, mirrored images, batches of 64 in groups of 8, 25 million images, an
average of 20,000 images. There the four largest stages compute in half precision; here all in
float32, and `--config.precision=bfloat16` changes it.

Published: FID 3.78, as Huang et al. 2024 ("The GAN is dead; long live the GAN!") quote it for
images made smaller by a box filter; by the authors' tables of speed some 28 hours on eight V100.
Not yet reproduced here.

    python launch.py --config=configs/ffhq256_stylegan2.py --config.data.name=folder:FFHQ
"""

from ml_collections import ConfigDict

from configs import default


def get_config() -> ConfigDict:
    """Returns the config."""
    config = default.get_config()
    config.data.name = "folder:ffhq"
    config.data.image_size = 256
    config.data.augment.flip = 0.5
    config.latent_dim = 512
    with config.unlocked():
        shared = {"family": "stylegan2", "channel_base": 16_384}
        config.generator = ConfigDict(shared)
        config.discriminator = ConfigDict(shared | {"minibatch_group": 8})
    config.loss = "non_saturating"
    config.penalties.r1 = 1.0
    config.penalties.r2 = 0.0
    config.penalty_interval = 16
    config.generator_penalties.path_length = 2.0
    config.generator_penalty_interval = 4
    config.batch_size = 64
    config.total_steps = 390_620
    for optimizer in (config.generator_optimizer, config.discriminator_optimizer):
        optimizer.learning_rate = 2.5e-3
    config.ema.half_life = 20_000.0
    config.ema.ramp = 0.0
    return config
