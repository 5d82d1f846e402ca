"""DCGAN's networks with the loss and the penalties of `mnist_mlp.py`, on Stacked MNIST: all modes.

The networks, weights and rates of `mnist_dcgan_r1r2.py`, but for three channels; protocol and
evaluation are those of `stacked_mnist.py`.

Seen on two cores, in 26 minutes partly beside other work: 1,000 modes of 1,000 and a KL of 0.051
(held-out stacks: 0.019; one run, three sets of samples); in bfloat16, which is
`--config.precision=bfloat16`, 1,000 and 0.052; with the full MNIST 1,000 and 0.054 (0.026). A small
ResNet with this loss and these penalties has 1,000 and 0.078 in Huang et al. 2024, R3GAN 1,000 and
0.029.

    python launch.py --config=configs/stacked_mnist_dcgan_r1r2.py
    python launch.py --mode=evaluate --workdir=runs/stacked_mnist_dcgan_r1r2 --num_samples=26000 \
        --figures=cheap --num_seeds=3

The digits are those that come with the requirements, 4,000 to train on. With the full MNIST, its
four files as published in one folder:

    python launch.py --config=configs/stacked_mnist_dcgan_r1r2.py \
        --config.data.name=stacked:idx:FOLDER
"""

from ml_collections import ConfigDict

from configs import mnist_dcgan_r1r2


def get_config() -> ConfigDict:
    """Returns the config."""
    config = mnist_dcgan_r1r2.get_config()
    config.data.name = "stacked:mnist_5k"
    return config
