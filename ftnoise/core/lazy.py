"""NumPy, Keras, TensorFlow, pandas and scipy.special by name, each imported at its first use.

`from ftnoise.core.lazy import np, tf` at the top of a module imports neither: `tf.constant` does,
when it is evaluated. So a spec and the code that computes it stand in one module, and reading an
experiment, `--help` and the list stay instant. A module that needs one of them at once, such as
for a subclass of a Keras layer, imports it as usual, and stays outside the specs.
"""

from __future__ import annotations

import importlib
from functools import cached_property
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras as keras
    import numpy as np
    import pandas as pandas
    import tensorflow as tf
    from scipy import special as special
else:

    class _Lazy:
        """A stand-in for the module of this name, which passes each attribute on."""

        def __init__(self, name: str) -> None:
            self._name = name

        @cached_property
        def _module(self) -> ModuleType:
            return importlib.import_module(self._name)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._module, name)

        def __reduce__(self) -> tuple[Any, ...]:  # a worker process gets the module itself
            return importlib.import_module, (self._name,)

    keras, np, pandas, tf = map(_Lazy, ("keras", "numpy", "pandas", "tensorflow"))
    special = _Lazy("scipy.special")
