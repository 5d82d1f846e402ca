"""The article's recipe, mended in the least way, for comparison: it collapses.

Same networks, data, batch and number of updates as `mnist_mlp.py`. What the article printed, and
what was changed because its listing does not run or does not train the generator:

- ReLU in the hidden layers, as printed.
- Cross-entropy on logits: the same loss as printed (sigmoid and binary cross-entropy), in the form
  that does not overflow. The generator maximizes log D(G(z)) (Goodfellow et al. 2014).
- Joint generator step: the printed one never passes through the discriminator; here the generator
  is trained through it, the discriminator held fixed.
- Adam at 2e-4 with betas 0.5 and 0.999 (Radford et al. 2016): with Keras' defaults, as printed, the
  generator ends in a blob of noise.
- d_steps = 1: one discriminator update for each generator update.
- Its snapshots: samples come from the generator as it is, so the average has no memory.

Expect nearly every sample to be a 1 in the end.

    python launch.py --config=configs/mnist_mlp_article.py
"""

from ml_collections import ConfigDict

from configs import default


def get_config() -> ConfigDict:
    """Returns the config."""
    config = default.get_config()
    config.generator.activation = "relu"
    config.discriminator.activation = "relu"
    config.loss = "non_saturating"
    config.penalties.r1 = 0.0
    config.penalties.r2 = 0.0
    for optimizer in (config.generator_optimizer, config.discriminator_optimizer):
        optimizer.learning_rate = 2e-4
        optimizer.b1 = 0.5
        optimizer.b2 = 0.999
        optimizer.eps = 1e-7  # Keras'
    config.ema.half_life = 0.0
    return config
