"""The default job: two small MLPs learn handwritten digits, and do not collapse.

Networks of the article (generator 100-128-256-512-784, discriminator 784-512-256-128-1) on the
5,000 digits that come with the requirements: no download. Relativistic pairing loss with R1 and R2
(Huang et al. 2024, "The GAN is dead; long live the GAN!"), Adam with betas 0 and 0.99, leaky ReLU,
averaged generator. Of the penalties' weights 0.1, 1 and 3, and the rates 2e-4, 6e-4 and 1.2e-3, 3
and 6e-4 came nearest to the train split (Frechet distance of the first 50 principal components).

Expect all ten digits, and few broken ones, from about step 6,000 on. Three to six minutes on two
CPU cores.

    python launch.py
"""

from ml_collections import ConfigDict

from configs import default


def get_config() -> ConfigDict:
    """Returns the config: the default as it stands."""
    return default.get_config()
