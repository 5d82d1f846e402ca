"""A conditional GAN: both networks see the one-hot class (Mirza & Osindero 2014).

Networks, data and objective of `mnist_mlp.py`. Ask for digits with

    python launch.py --mode=sample --workdir=runs/cgan --labels=0,1,2 --output=digits.png

    python launch.py --config=configs/cgan.py
"""

from ml_collections import ConfigDict

from configs import default


def get_config() -> ConfigDict:
    """Returns the config."""
    config = default.get_config()
    config.conditional = True
    return config
