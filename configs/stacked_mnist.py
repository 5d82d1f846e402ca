"""Stacked MNIST: digits as the three channels of an image, a thousand modes to find or to drop.

The two MLPs and the loss of `mnist_mlp.py` on 128,000 stacks of three random digits each (Metz et
al. 2017). The protocol (Srivastava et al. 2017, VEEGAN; Lin et al. 2018, PacGAN): of 26,000 samples
each channel is classified; the modes are the distinct triples, of 1,000; KL is that of the samples'
triples from the uniform distribution, in nats. Held-out stacks of the digits here, 26,000 too, have
all 1,000 modes and a KL of 0.019.

Published, modes and KL: DCGAN 99, 3.40; VEEGAN 150, 2.95; WGAN-GP 959, 0.73; PacDCGAN2 1,000, 0.06;
StyleGAN2 940, 0.42; R3GAN 1,000, 0.029. With a small ResNet (Huang et al. 2024): relativistic with
R1 and R2 1,000, 0.078; non-saturating with both 693, 0.93; either diverges with R1 alone. They are
of convolutional networks on the full MNIST; `stacked_mnist_dcgan_r1r2.py` comes to 1,000 and 0.054
there. These MLPs came to 1,000 and 0.253 in one run, on the digits below.

    python launch.py --config=configs/stacked_mnist.py
    python launch.py --mode=evaluate --workdir=runs/stacked_mnist --num_samples=26000

The digits are those that come with the requirements, 4,000 to train on. With the full MNIST, its
four files as published in one folder:

    python launch.py --config=configs/stacked_mnist.py --config.data.name=stacked:idx:FOLDER
"""

from ml_collections import ConfigDict

from configs import default


def get_config() -> ConfigDict:
    """Returns the config."""
    config = default.get_config()
    config.data.name = "stacked:mnist_5k"
    return config
