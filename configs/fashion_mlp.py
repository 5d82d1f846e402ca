"""The job of `mnist_mlp.py` on Fashion-MNIST (Xiao et al. 2017): 60,000 pictures of clothes.

The four files as published (train-images-idx3-ubyte.gz and so on) in one folder; Debian's package
`dataset-fashion-mnist` puts them into the folder named here.

    python launch.py --config=configs/fashion_mlp.py --config.data.name=idx:FOLDER
"""

from ml_collections import ConfigDict

from configs import default


def get_config() -> ConfigDict:
    """Returns the config."""
    config = default.get_config()
    config.data.name = "idx:/usr/share/datasets/fashion-mnist"
    config.total_steps = 20_000
    return config
