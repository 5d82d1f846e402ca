"""Least squares in place of the cross-entropy (Mao et al. 2017); else as `gan.py`.

python launch.py --config=configs/lsgan.py
"""

from ml_collections import ConfigDict

from configs import gan


def get_config() -> ConfigDict:
    """Returns the config."""
    config = gan.get_config()
    config.loss = "least_squares"
    return config
