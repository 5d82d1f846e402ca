"""ReACGAN: an auxiliary classifier on the sphere, by data-to-data cross-entropy (Kang et al. 2021).

With the paper's weight for CIFAR-10; the rest as in `contragan.py`.

    python launch.py --config=configs/reacgan.py
"""

from ml_collections import ConfigDict

from configs import contragan


def get_config() -> ConfigDict:
    """Returns the config."""
    config = contragan.get_config()
    config.class_loss = "data_to_data"
    config.class_weight = 0.5
    return config
