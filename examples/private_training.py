"""Train with DP-SGD on your own data, and state the privacy that it guarantees."""

import numpy as np
from sklearn.datasets import load_digits

from ftnoise import (
    DPSGD,
    Generalization,
    GridMLP,
    NpzFile,
    PrivacyLoss,
    Run,
    Schedule,
    Training,
    evaluate,
    privacy_statement,
)

x, y = load_digits(return_X_y=True)
x = (x / 16).astype("float32")
np.savez("digits.npz", x_train=x[:1500], y_train=y[:1500], x_test=x[1500:], y_test=y[1500:])

run = Run(
    architecture=GridMLP(input_shape=(64,), width=32),
    data=NpzFile(path="digits.npz"),
    # The key of the noise is secret: it is never written down.
    training=Training(gradients=DPSGD(noise_multiplier=1.5, clip=1.0, secret_key=True)),
    schedule=Schedule(epochs=10, batch_size=100, learning_rate=0.5),
)
print(privacy_statement(run, delta=1e-4))
print(evaluate(run, Generalization(), PrivacyLoss(delta=1e-4)))
