"""The accuracy of your own Keras model when weights are stuck at zero."""

import keras
from sklearn.datasets import load_digits

from ftnoise import inject

x, y = load_digits(return_X_y=True)
x = (x / 16).astype("float32")
keras.utils.set_random_seed(0)
model = keras.Sequential(
    [
        keras.layers.InputLayer((64,)),
        keras.layers.Dense(64, activation="relu"),
        keras.layers.Dense(10, activation="softmax"),
    ],
    name="digits",
)
model.compile("adam", "sparse_categorical_crossentropy")
model.fit(x[:1200], y[:1200], epochs=5, verbose=0)

result = inject(
    model,
    x[1200:],
    y[1200:],
    fault="weights:stuck_at_zero:0.5",
    rates=[0.0, 0.1, 0.3, 0.5],
    trials=20,
)
print(result)
result.lines.to_csv("digits_under_faults.csv", index=False)
