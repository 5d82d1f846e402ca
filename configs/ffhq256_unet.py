"""U-Net GAN on FFHQ at 256 x 256 (Schönfeld et al. 2020), by the authors' script.

BigGAN's generator and a discriminator that judges every pixel too, both of 64 channels a step,
spectrally normalized and without attention; orthogonal kernels, mirrored images, non-saturating
loss of the image and of its pixels, batches of 20, Adam at 1e-4 and, for the discriminator, 5e-4
with betas 0 and 0.999, an average of decay 0.9999.

What differs: mixtures (CutMix, with the consistency between them and their parts) are a part of
every update, with a weight that rises evenly to 2 in 100 epochs, where the authors' take the place
of the loss in a share r of updates that rises to a half: on the average a weight of 2 r / (1 - r),
which is less on the way; each block of the generator reads 20 latents of its own, as BigGAN's does
at this size, where the authors' blocks all read the same 128; the average begins at once, and not
after 21,000 updates; the length is ours (the network that they give is of epoch 82, some 287,000
updates). They sample with statistics of 100 batches (`--standing_batches=100`).

Published: FID 7.48. Not yet reproduced here.

    python launch.py --config=configs/ffhq256_unet.py --config.data.name=folder:FFHQ
"""

from ml_collections import ConfigDict

from configs import default


def get_config() -> ConfigDict:
    """Returns the config."""
    config = default.get_config()
    config.data.name = "folder:ffhq"
    config.data.image_size = 256
    config.data.augment.flip = 0.5
    config.latent_dim = 140
    with config.unlocked():
        config.generator = ConfigDict({"family": "unet", "attention": 0})
        config.discriminator = ConfigDict({"family": "unet", "attention": 0})
    config.loss = "non_saturating"
    config.penalties.r1 = 0.0
    config.penalties.r2 = 0.0
    config.penalties.cutmix = 2.0
    config.penalty_schedule.warmup = 7e6  # 100 epochs
    config.batch_size = 20
    config.total_steps = 400_000
    config.generator_optimizer.learning_rate = 1e-4
    config.discriminator_optimizer.learning_rate = 5e-4
    for optimizer in (config.generator_optimizer, config.discriminator_optimizer):
        optimizer.b2 = 0.999
        optimizer.eps = 1e-6
    config.ema.half_life = 139_000.0  # a decay of 0.9999 for every 20 images
    config.ema.ramp = 0.0
    return config
