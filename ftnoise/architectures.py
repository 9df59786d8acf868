"""The networks of Table 2 of the paper, and those of the other papers that are reproduced.

Source: Duddu et al., "Fault Tolerance of Neural Networks in Adversarial Settings", Table 2.
"16 (8)(1)" is a convolution with 16 filters, an 8x8 kernel and stride 1. Every hidden layer has a
ReLU; every network ends in logits (no softmax).

Deviations
1. The paper prints no padding. CIFAR-10 is "same" ("valid" leaves nothing at the end). CNN 1 is
   "valid", as in the TRADES example from which it comes. CNN 2 has a field, `padding`, for its two
   convolutions; the default was chosen by the natural row of Table 5.
2. CNN 2 is the network of the TensorFlow Privacy MNIST tutorial, whose first convolution has
   stride 2; Table 2 prints stride 1. The field `first_stride` switches; the default is as printed.
3. The sigmoid unit of Table 3's network is a logit next to one of 0 (`TwoLogits`).
4. Weights start from Keras' defaults (Glorot uniform, biases 0), as the papers give none.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

from ftnoise.core.checks import boolean, count, expect, is_count
from ftnoise.core.interfaces import Architecture
from ftnoise.core.lazy import keras

ACTIVATIONS = ("relu", "tanh", "sigmoid", "softplus")


@dataclass(frozen=True, kw_only=True)
class SequentialNetwork(Architecture):
    """Base of sequential networks: `layers` lists the Keras layers after the input.

    Args:
        input_shape: shape of one example, channels last.
        classes: number of logits, at least 2.
    """

    input_shape: tuple[int, ...] = (28, 28, 1)
    classes: int = 10

    def __post_init__(self) -> None:
        sizes = self.input_shape if isinstance(self.input_shape, tuple) else ()
        expect(
            len(sizes) > 0 and all(map(is_count, sizes)),
            "input_shape to be a tuple of sizes >= 1",
            input_shape=self.input_shape,
        )
        count(least=2, classes=self.classes)

    @abstractmethod
    def layers(self) -> list[keras.layers.Layer]:
        """The layers in order, the last one giving logits `[batch, classes]`."""

    def build(self) -> keras.Model:
        """A new, untrained `keras.Model`: `[batch, *input_shape]` -> logits `[batch, classes]`."""
        layers = [keras.layers.InputLayer(self.input_shape), *self.layers()]
        return keras.Sequential(layers, name=self.slug)


@dataclass(frozen=True, kw_only=True)
class FmnistDNN(SequentialNetwork):
    """FMNIST DNN: two hidden layers of 512 units; 669,706 parameters."""

    def layers(self) -> list[keras.layers.Layer]:
        from keras.layers import Dense, Flatten

        return [
            Flatten(),
            Dense(512, activation="relu"),
            Dense(512, activation="relu"),
            Dense(self.classes),
        ]


@dataclass(frozen=True, kw_only=True)
class FmnistCNN1(SequentialNetwork):
    """FMNIST CNN 1: 431,080 parameters."""

    def layers(self) -> list[keras.layers.Layer]:
        from keras.layers import Conv2D, Dense, Flatten, MaxPooling2D

        from ftnoise.layers.convolution import ImageConv2D

        return [
            ImageConv2D(20, 5, activation="relu"),
            MaxPooling2D(2, 2),
            Conv2D(50, 5, activation="relu"),
            MaxPooling2D(2, 2),
            Flatten(),
            Dense(500, activation="relu"),
            Dense(self.classes),
        ]


@dataclass(frozen=True, kw_only=True)
class FmnistCNN2(SequentialNetwork):
    """FMNIST CNN 2: 75,162 parameters (133,530 with padding "same", "valid").

    Args:
        padding: "same" or "valid" for the first and the second convolution (deviation 1).
        first_stride: 1 as printed, or the tutorial's 2 (deviation 2).
    """

    padding: tuple[str, str] = ("valid", "valid")
    first_stride: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        kinds = ("same", "valid")
        expect(
            self.padding in [(first, second) for first in kinds for second in kinds],
            'padding to be two of "same" and "valid"',
            padding=self.padding,
        )
        expect(
            is_count(self.first_stride) and self.first_stride <= 2,
            "first_stride 1 or 2",
            first_stride=self.first_stride,
        )

    def layers(self) -> list[keras.layers.Layer]:
        from keras.layers import Conv2D, Dense, Flatten, MaxPooling2D

        from ftnoise.layers.convolution import ImageConv2D

        first, second = self.padding
        return [
            ImageConv2D(16, 8, self.first_stride, padding=first, activation="relu"),
            MaxPooling2D(2, 1),
            Conv2D(32, 4, 2, padding=second, activation="relu"),
            MaxPooling2D(2, 1),
            Flatten(),
            Dense(32, activation="relu"),
            Dense(self.classes),
        ]


@dataclass(frozen=True, kw_only=True)
class Cifar10CNN(SequentialNetwork):
    """CIFAR10 architecture: nine convolutions, three dense layers; 1,981,258 parameters."""

    input_shape: tuple[int, ...] = (32, 32, 3)

    def layers(self) -> list[keras.layers.Layer]:
        from keras.layers import Conv2D, Dense, Flatten

        def convolution(filters: int, kernel: int, stride: int) -> keras.layers.Layer:
            return Conv2D(filters, kernel, stride, padding="same", activation="relu")

        return [
            *(convolution(32, 3, 1), convolution(32, 4, 2), convolution(32, 3, 1)),
            *(convolution(64, 3, 2), convolution(64, 3, 1)),
            *(convolution(128, 3, 2), convolution(128, 3, 1)),
            *(convolution(256, 3, 2), convolution(256, 3, 1)),
            Flatten(),
            Dense(512, activation="relu"),
            Dense(512, activation="relu"),
            Dense(self.classes),
        ]


@dataclass(frozen=True, kw_only=True)
class MnistMLP(SequentialNetwork):
    """MNIST MLP: three hidden layers of 100 units; 99,710 parameters.

    Source: Khan et al., "Non-Determinism in Neural Networks for Adversarial Robustness", section 5.

    Args:
        signed: whether the network first maps pixels from [0, 1] to [-1, 1], the range in which the
            authors' code takes them.
    """

    signed: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        boolean(signed=self.signed)

    def layers(self) -> list[keras.layers.Layer]:
        from keras.layers import Dense, Flatten, Rescaling

        first = [Rescaling(2.0, offset=-1.0)] if self.signed else []
        hidden = [Dense(100, activation="relu") for _ in range(3)]
        return [*first, Flatten(), *hidden, Dense(self.classes)]


@dataclass(frozen=True, kw_only=True)
class PixelDPCNN(SequentialNetwork):
    """Two convolutions with stride 2 and a dense layer; 3,274,634 parameters for 28 x 28 pixels.

    Source: Lecuyer et al. (2019), "Certified Robustness to Adversarial Examples with Differential
    Privacy", and the authors' code, for MNIST.
    """

    def layers(self) -> list[keras.layers.Layer]:
        from keras.layers import Conv2D, Dense, Flatten

        return [
            Conv2D(32, 5, 2, padding="same", activation="relu"),
            Conv2D(64, 5, 2, padding="same", activation="relu"),
            Flatten(),
            Dense(1024, activation="relu"),
            Dense(self.classes),
        ]


@dataclass(frozen=True, kw_only=True)
class GridMLP(SequentialNetwork):
    """A network of the grids of dense networks: hidden layers of one width.

    Source: "Global Adversarial Robustness Guarantees for Neural Networks", appendix B.1, B.3 and
    B.6 to B.9.

    Args:
        depth: number of hidden layers, at least 1.
        width: units of each, at least 1.
        activation: of the hidden layers, a Keras name.
    """

    depth: int = 1
    width: int = 64
    activation: str = "relu"

    def __post_init__(self) -> None:
        super().__post_init__()
        count(depth=self.depth, width=self.width)
        known_activation(self.activation)

    def layers(self) -> list[keras.layers.Layer]:
        from keras.layers import Dense, Flatten

        hidden = [Dense(self.width, activation=self.activation) for _ in range(self.depth)]
        return [Flatten(), *hidden, Dense(self.classes)]


@dataclass(frozen=True, kw_only=True)
class GridCNN(SequentialNetwork):
    """A network of the grids of convolutional networks: convolutions, then dense layers, all ReLU.

    Source: "Global Adversarial Robustness Guarantees for Neural Networks", appendix B.2 and B.4,
    which prints neither strides nor padding nor pooling. Here the strides are 1, without padding or
    pooling.

    Args:
        convolutions: their number, at least 1.
        filters: of each convolution, at least 1.
        kernel: side of a kernel, at least 1.
        depth: number of hidden dense layers, at least 1.
        width: units of each, at least 1.
    """

    convolutions: int = 1
    filters: int = 5
    kernel: int = 3
    depth: int = 1
    width: int = 128

    def __post_init__(self) -> None:
        super().__post_init__()
        count(convolutions=self.convolutions, filters=self.filters, kernel=self.kernel)
        count(depth=self.depth, width=self.width)
        least = self.convolutions * (self.kernel - 1) + 1
        expect(
            len(self.input_shape) == 3 and min(self.input_shape[:2]) >= least,
            f"images of at least {least} x {least} pixels",
            input_shape=self.input_shape,
        )

    def layers(self) -> list[keras.layers.Layer]:
        from keras.layers import Dense, Flatten

        from ftnoise.layers.convolution import ImageConv2D

        return [
            *(
                ImageConv2D(self.filters, self.kernel, activation="relu")
                for _ in range(self.convolutions)
            ),
            Flatten(),
            *(Dense(self.width, activation="relu") for _ in range(self.depth)),
            Dense(self.classes),
        ]


@dataclass(frozen=True, kw_only=True)
class GridVGG(SequentialNetwork):
    """A network of the grid of CIFAR-10: blocks, then dense layers, all ReLU.

    Source: "Global Adversarial Robustness Guarantees for Neural Networks", appendix B.5. A block is
    two convolutions and max pooling. The paper prints neither strides nor padding nor the size of
    the pooling. Here the strides are 1, the padding is "same", and the pooling is 2 x 2.

    Args:
        blocks: their number, at least 1.
        filters: of each convolution, at least 1.
        kernel: side of a kernel, at least 1.
        depth: number of hidden dense layers, at least 1.
        width: units of each, at least 1.
    """

    input_shape: tuple[int, ...] = (32, 32, 3)
    blocks: int = 1
    filters: int = 24
    kernel: int = 3
    depth: int = 1
    width: int = 128

    def __post_init__(self) -> None:
        super().__post_init__()
        count(blocks=self.blocks, filters=self.filters, kernel=self.kernel)
        count(depth=self.depth, width=self.width)
        least = 2**self.blocks
        expect(
            len(self.input_shape) == 3 and min(self.input_shape[:2]) >= least,
            f"images of at least {least} x {least} pixels",
            input_shape=self.input_shape,
        )

    def layers(self) -> list[keras.layers.Layer]:
        from keras.layers import Conv2D, Dense, Flatten, MaxPooling2D

        def block() -> list[keras.layers.Layer]:
            how = {"padding": "same", "activation": "relu"}
            two = [Conv2D(self.filters, self.kernel, **how) for _ in range(2)]
            return [*two, MaxPooling2D(2)]

        return [
            *(layer for _ in range(self.blocks) for layer in block()),
            Flatten(),
            *(Dense(self.width, activation="relu") for _ in range(self.depth)),
            Dense(self.classes),
        ]


@dataclass(frozen=True, kw_only=True)
class CirclesNet(SequentialNetwork):
    """The network of Table 3: one hidden layer of 500 units and a sigmoid unit; 2,001 parameters.

    Args:
        units: of the hidden layer, at least 1.
        activation: of the hidden layer, a Keras name; the paper's is "relu". Smooth ones serve
            to compare noise with penalties, whose theory needs derivatives.
    """

    input_shape: tuple[int, ...] = (2,)
    classes: int = 2
    units: int = 500
    activation: str = "relu"

    def __post_init__(self) -> None:
        super().__post_init__()
        count(units=self.units)
        expect(self.classes == 2, "2 classes, as there is one output", classes=self.classes)
        known_activation(self.activation)

    def layers(self) -> list[keras.layers.Layer]:
        from keras.layers import Dense

        from ftnoise.layers.convolution import TwoLogits

        return [Dense(self.units, activation=self.activation), Dense(1), TwoLogits()]


def known_activation(activation: str) -> None:
    """Raises `BadInput` unless it is one of `ACTIVATIONS`."""
    expect(
        activation in ACTIVATIONS,
        f"activation to be one of {', '.join(ACTIVATIONS)}",
        activation=activation,
    )
