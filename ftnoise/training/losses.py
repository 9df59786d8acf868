"""The loss of each example, before anything is reduced."""

from __future__ import annotations

from typing import Any


def cross_entropy(y: Any, logits: Any) -> Any:
    """Cross-entropy of integer labels, in nats.

    Args:
        y: `[batch]`, or `[batch, members]` of a stack of networks.
        logits: `[batch, classes]`, or `[batch, members, classes]`.

    Returns:
        As `y`. Of a stack it is computed member by member: the kernel's last bits depend on where
        in the memory an example lies, and each member shall get what it would get alone.
    """
    import tensorflow as tf

    if logits.shape.rank == 2:
        return tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits)
    members = zip(tf.unstack(y, axis=1), tf.unstack(logits, axis=1), strict=True)
    return tf.stack(
        [tf.nn.sparse_softmax_cross_entropy_with_logits(*member) for member in members], axis=1
    )
