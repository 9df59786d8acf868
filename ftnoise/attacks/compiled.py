"""A network as an attack sees it: logits and gradients, each compiled once for all attacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras


class Compiled:
    """A network in inference mode for attacks whose steps are run one by one.

    What was compiled serves batches of any size, every radius and every number of steps. Like
    anything compiled it follows the network's parameters, and nothing else that is changed later.

    Args:
        network: gives logits `[batch, classes]`.
        shape: of an example.
    """

    def __init__(self, network: keras.Model, shape: tuple[int, ...]) -> None:
        import tensorflow as tf

        from ftnoise.attacks.ascent import input_gradient
        from ftnoise.attacks.attack import cross_entropy

        def logits(x: Any) -> Any:
            return network(x, training=False)

        def gradient(x: Any, y: Any) -> Any:
            return input_gradient(cross_entropy(network, y), x)

        self.name = getattr(network, "name", type(network).__name__)
        # Where a check looks for the layer that gives the output.
        self.layers = [network]
        images = tf.TensorSpec([None, *shape], tf.float32)
        labels = tf.TensorSpec([None], tf.int32)
        self.logits = tf.function(logits, input_signature=[images], autograph=False)
        self.gradient = tf.function(gradient, input_signature=[images, labels], autograph=False)

    def __call__(self, x: Any, training: bool = False) -> Any:
        """Logits `[batch, classes]` of `x` `[batch, ...]`; there is no other mode."""
        del training
        return self.logits(x)

    def right(self, x: Any, y: Any) -> Any:
        """Whether each answer is the label, bool `[batch]`."""
        import tensorflow as tf

        return tf.argmax(self.logits(x), axis=-1, output_type=y.dtype) == y

    def loss_gradient(self, x: Any, y: Any) -> Any:
        """Gradient `[batch, ...]` of the cross-entropy with labels `y` `[batch]` in `x`."""
        return self.gradient(x, y)
