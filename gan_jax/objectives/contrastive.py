"""Losses on embeddings of images and of labels, where the rows of a batch see each other.

An image has an embedding, a label has one as well: its proxy. Both are brought to unit length, and
all that counts is the cosine between two of them.
"""

import jax
import jax.numpy as jnp

from gan_jax.axis import gathered

Array = jax.Array

_SHORT = 1e-12  # what has no larger coordinate counts as zero


def conditional_contrastive(
    pairs: Array, labels: Array, *, temperature: float, axis_name: str | None = None
) -> Array:
    """Draws an image to its label's proxy and to the images of its class, away from the others.

    With f_i the unit embedding of row i, v_i the unit proxy of its label and t the temperature, the
    sums over the rows j of the whole batch:

        n_i = exp(<f_i, v_i> / t) + sum_{j != i, y_j = y_i} exp(<f_i, f_j> / t)
        d_i = exp(<f_i, v_i> / t) + sum_{j != i} exp(<f_i, f_j> / t)
        L_i = -log(n_i / d_i)

    It is 0 where the whole batch has one class, and never less. The more images of a class a batch
    has, the less its proxy counts, which alone says which class it is: a generator may settle on a
    permutation of the classes.

    Args:
      pairs: (B, 2, E), of any length: the embedding of an image, then the proxy of its label.
      labels: (B,) int32.
      temperature: t > 0.
      axis_name: the mapped axis that the batch is spread over.

    Returns:
      L, shape (B,).

    Reference: Kang & Park 2020, "ContraGAN: contrastive learning for conditional image generation",
    the conditional contrastive loss (2C) of section 3.
    """
    to_proxy, to_images = _cosines(pairs, axis_name)
    rows = jnp.arange(len(labels))  # of the whole batch
    if axis_name is not None:
        rows += jax.lax.axis_index(axis_name) * len(labels)
    others = jnp.arange(to_images.shape[1]) != rows[:, None]
    alike = labels[:, None] == gathered(labels, axis_name)
    to_proxy, to_images = to_proxy / temperature, to_images / temperature
    return _log_sum(to_proxy, to_images, others) - _log_sum(to_proxy, to_images, others & alike)


def data_to_data_cross_entropy(
    pairs: Array,
    labels: Array,
    *,
    temperature: float,
    positive_margin: float,
    negative_margin: float,
    axis_name: str | None = None,
) -> Array:
    """Draws an image to its label's proxy, away from the images of the other classes (D2D-CE).

    With f_i the unit embedding of row i, v_i the unit proxy of its label, t the temperature and
    N(i) the rows of the whole batch whose label is another:

        p_i = min(<f_i, v_i> - m_p, 0) / t,    n_ij = max(<f_i, f_j> - m_n, 0) / t
        L_i = -log(exp(p_i) / (exp(p_i) + sum_{j in N(i)} exp(n_ij)))

    A proxy that is near enough, an image of another class that is far enough has no gradient. The
    loss is never less than log(1 + |N(i)|), and 0 where the whole batch has one class.

    Args:
      pairs: (B, 2, E), of any length: the embedding of an image, then the proxy of its label.
      labels: (B,) int32.
      temperature: t > 0.
      positive_margin: m_p, the cosine from which on a proxy is near enough.
      negative_margin: m_n, the cosine up to which another class is far enough.
      axis_name: the mapped axis that the batch is spread over.

    Returns:
      L, shape (B,).

    Reference: Kang et al. 2021, "Rebooting ACGAN: auxiliary classifier GANs with stable training"
    (ReACGAN), the data-to-data cross-entropy of section 3. The authors' code takes the largest
    <f_i, f_j> - m_n of a row from its n_ij, not from p_i, so that its values differ from these.
    """
    to_proxy, to_images = _cosines(pairs, axis_name)
    unlike = labels[:, None] != gathered(labels, axis_name)
    positive = -jax.nn.relu(positive_margin - to_proxy) / temperature
    negative = jax.nn.relu(to_images - negative_margin) / temperature
    return _log_sum(positive, negative, unlike) - positive


def _cosines(pairs: Array, axis_name: str | None) -> tuple[Array, Array]:
    """Returns <f_i, v_i>, shape (B,), and <f_i, f_j> for j of the whole batch, shape (B, N)."""
    unit = _unit(pairs)
    images, labels = unit[:, 0], unit[:, 1]
    # By default an accelerator rounds the factors of a product to fewer bits.
    to_images = jnp.matmul(images, gathered(images, axis_name).T, precision="highest")
    return jnp.sum(images * labels, axis=-1), to_images


def _unit(vectors: Array) -> Array:
    """Divides by the length along the last axis; zero stays zero, with finite derivatives."""
    # The length of x / c does not depend on c: a constant here, which keeps squares in range.
    largest = jax.lax.stop_gradient(jnp.max(jnp.abs(vectors), axis=-1, keepdims=True))
    long = largest > _SHORT
    vectors = vectors / jnp.where(long, largest, 1)
    squared = jnp.sum(jnp.square(vectors), axis=-1, keepdims=True)
    return vectors * jax.lax.rsqrt(jnp.where(long, squared, 1))


def _log_sum(one: Array, others: Array, mask: Array) -> Array:
    """Returns log(exp(one) + sum of exp(others) where mask), shape (B,) of (B,) and (B, N)."""
    terms = jnp.concatenate([one[:, None], jnp.where(mask, others, -jnp.inf)], axis=1)
    return jax.nn.logsumexp(terms, axis=1)  # never of -inf alone, which has no derivative
