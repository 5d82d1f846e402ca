"""Classifiers: one update as a pure function of (state, batch)."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import flax.struct
import jax
import jax.numpy as jnp
import optax

from gan_jax.algorithms.algorithm import Algorithm, Batch, Metrics
from gan_jax.algorithms.descent import Descent
from gan_jax.algorithms.ema import update_average
from gan_jax.algorithms.network import forward, init_net
from gan_jax.errors import InputError
from gan_jax.rng import key_for, keys_for, substream
from gan_jax.train_state import NetState, PyTree

Array = jax.Array


class ClassifierState(flax.struct.PyTreeNode):
    """The whole state of a classifier in training."""

    step: Array  # () int32, updates done
    key: Array  # () typed PRNG key, the root: never advanced, never split in place
    classifier: NetState
    ema: PyTree  # the averaged classifier, in the structure of `classifier.weights`


class Rows(NamedTuple):
    """What an update sees, a row an example."""

    images: Array
    labels: Array
    keys: Array


class Classifier(NamedTuple):
    """A classifier as pure functions: those of `Algorithm`, with `classify` in place of `sample`.

    Attributes:
      init: `(key) -> ClassifierState`.
      update: `(state, batch) -> (state, metrics)`: one update on one minibatch. Metrics are `loss`
        and `accuracy` of what it learned from, as it was before.
      classify: `(weights, images) -> outputs` of the network, which are `logits` (N, K) and
        `features`, of images (N, H, W, C) in [-1, 1]. `weights` is `state.ema`.
      minibatches: 1.
    """

    init: Callable[[Array], ClassifierState]
    update: Callable[[ClassifierState, Batch], tuple[ClassifierState, Metrics]]
    classify: Callable[[PyTree, Array], Any]
    minibatches: int = 1

    @property
    def algorithm(self) -> Algorithm:
        """The functions that a training loop knows; `sample` raises `InputError`."""
        return Algorithm(self.init, self.update, _sample, self.minibatches)


def classifier(
    *,
    network: Any,
    optimizer: optax.GradientTransformation,
    image_shape: Sequence[int],
    num_classes: int,
    augment: Callable[[Array, Array], Array] | None = None,
    ema: optax.ScalarOrSchedule = 0.999,
    label_smoothing: float = 0.0,
    axis_name: str | None = None,
) -> Classifier:
    """Builds the pure functions of a classifier.

    It minimizes the mean of `(1 - s) * -log p(y | x) - s * mean_k log p(k | x)` with s the label
    smoothing, where p is the softmax of the logits.

    Args:
      network: Flax module, `apply(variables, images, labels=None, *, train, keys=None)` to an
        object with `logits` (B, num_classes). It is never given labels.
      optimizer: an optax transformation, its learning rate inside.
      image_shape: (H, W, C).
      num_classes: K, at least 2.
      augment: `(images, keys) -> images`, applied to what it learns from. See
        `gan_jax.augment.plain`.
      ema: decay of the averaged classifier for one update, or a function from `state.step` to it.
      label_smoothing: s in [0, 1): the share of a label that goes to all classes alike.
      axis_name: the mapped axis to average over under `pmap` or `vmap`; None under plain `jit`.

    Returns:
      A `Classifier`.

    Raises:
      InputError: a number outside of its range; from `init`, a network with other than
        `num_classes` logits.

    Reference: Szegedy et al. 2016, "Rethinking the Inception architecture for computer vision",
    section 7 (label smoothing).
    """
    if num_classes < 2:
        raise InputError(f"num_classes is {num_classes}; a classifier needs at least 2")
    if not 0 <= label_smoothing < 1:
        raise InputError(f"label_smoothing is {label_smoothing}; it must be in [0, 1)")
    descend = Descent("classifier", optimizer, axis_name=axis_name)

    def init(key: Array) -> ClassifierState:
        images = jnp.zeros((1, *image_shape))
        net = init_net(network, optimizer, "classifier", key_for(key, "init")[None], images, None)
        found = jax.eval_shape(classify, net.weights, images).logits.shape[-1]
        if found != num_classes:
            raise InputError(
                f"the network tells {found} classes apart; the data have {num_classes}"
            )
        return ClassifierState(
            step=jnp.zeros((), jnp.int32),
            key=key,
            classifier=net,
            # A copy: the average must not share buffers with weights that are donated.
            ema=jax.tree.map(jnp.copy, net.weights),
        )

    def update(state: ClassifierState, batch: Batch) -> tuple[ClassifierState, Metrics]:
        def objective(params: PyTree, rows: Rows) -> tuple[Array, tuple[PyTree, Metrics]]:
            outputs, variables = forward(
                network, params, state.classifier.variables, rows.images, None, rows.keys
            )
            loss = cross_entropy(outputs.logits, rows.labels, label_smoothing).mean()
            right = outputs.logits.argmax(-1) == rows.labels
            return loss, (variables, {"loss": loss, "accuracy": right.mean(dtype=jnp.float32)})

        images, labels = batch["image"][0], batch["label"][0]
        keys = keys_for(key_for(state.key, "classifier", state.step), batch["index"][0])
        if augment is not None:
            images = augment(images, substream(keys, "augment"))
        rows = Rows(images, labels, substream(keys, "network"))
        net, metrics, _ = descend.step(state.classifier, objective, rows)
        decay = ema(state.step) if callable(ema) else ema
        average = update_average(state.ema, net.weights, decay)
        return state.replace(step=state.step + 1, classifier=net, ema=average), metrics

    def classify(weights: PyTree, images: Array) -> Any:
        return network.apply(weights, images, train=False)

    return Classifier(init, update, classify)


def cross_entropy(logits: Array, labels: Array, smoothing: float = 0.0) -> Array:
    """Returns `(1 - s) * -log p(y) - s * mean_k log p(k)` with p = softmax(logits), (B,).

    Args:
      logits: (B, K).
      labels: y, (B,) int32.
      smoothing: s in [0, 1).
    """
    right = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    if not smoothing:
        return right
    anything = jax.nn.logsumexp(logits, axis=-1) - logits.mean(-1)
    return (1 - smoothing) * right + smoothing * anything


def _sample(*args: Any, **kwargs: Any) -> Array:
    del args, kwargs
    raise InputError("a classifier makes no images: there is nothing to sample")
