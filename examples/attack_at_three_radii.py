"""The accuracy of your own Keras model under an attack, at three radii."""

import keras
from sklearn.datasets import load_digits

from ftnoise import PGD, attack

x, y = load_digits(return_X_y=True)
x = (x / 16).astype("float32")  # pixels in [0, 1]; other ranges: attack(..., low=, high=)
keras.utils.set_random_seed(0)
model = keras.Sequential(
    [
        keras.layers.InputLayer((64,)),
        keras.layers.Dense(64, activation="relu"),
        keras.layers.Dense(10, activation="softmax"),  # attacks see the logits before it
    ],
    name="digits",
)
model.compile("adam", "sparse_categorical_crossentropy")
model.fit(x[:1200], y[:1200], epochs=5, verbose=0)

result = attack(
    model,
    x[1200:1500],
    y[1200:1500],
    attack=PGD(attack_epsilon=0.1, steps=20, restarts=2),
    attack_epsilons=[0.0, 0.05, 0.1],
)
print(result)
print(result.lines)
