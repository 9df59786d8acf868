"""Specs: immutable dataclasses with settings and behavior, identified by their content.

`Spec` is the base of everything in a row or column of a table: data sets, architectures, training
slots, measures. Nothing here imports TensorFlow or NumPy, so that reading an experiment is
instant.

Identity. The canonical form of a spec names its class, its `revision` and the fields that differ
from their defaults; a number is written the same whether it came as 1 or 1.0. For a class outside
this package, whose author need not know of revisions, it has a digest of its code, too. A run's id
is a readable slug and the SHA-256 of that form and of the data set's content digest.
"""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import inspect
import json
import math
import re
import textwrap
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, ClassVar, Self

from ftnoise.core.checks import expect
from ftnoise.core.errors import BadInput
from ftnoise.core.preset import Preset, limited

JSON = Any
CODE = "source code"  # in the canonical form of a class outside the package; no field has this name


@dataclass(frozen=True, kw_only=True)
class Spec:
    """Base of all specs. Subclasses are frozen keyword-only dataclasses that check themselves.

    `revision` is raised by hand when the meaning of a class changes, so that stored results of
    the old meaning are not taken for results of the new one. Outside this package a change of the
    class's own code is enough, but none of functions that it calls. A field with
    `metadata={"identity": False}`, such as a path, is no part of the identity. `limits` are pairs:
    the name of a field with a size (or None), and that of the preset's field that limits it.
    """

    revision: ClassVar[int] = 1
    limits: ClassVar[tuple[tuple[str, str], ...]] = ()

    @property
    def slug(self) -> str:
        """A short readable name: the class name in snake case."""
        return snake_case(type(self).__name__)

    @cached_property
    def _id(self) -> str:
        return f"{self.slug}-{digest(canonical(self))[:8]}"

    def scaled(self, preset: Preset) -> Self:
        """The same spec within the limits of a preset.

        By default each field that is a spec is scaled, and those of `limits` are limited. A member
        with another rule overrides it; a member whose specs must not change returns itself.
        """
        smaller: dict[str, Any] = {
            name: limited(getattr(self, name), getattr(preset, most)) for name, most in self.limits
        }
        for f in dataclasses.fields(self):
            value = getattr(self, f.name)
            if isinstance(value, Spec):
                smaller[f.name] = value.scaled(preset)
        return self.changed(**smaller)

    def changed(self, **fields: Any) -> Self:
        """The spec with these values of fields; the same object if nothing changes."""
        same = all(getattr(self, name) is value for name, value in fields.items())
        return self if same else dataclasses.replace(self, **fields)


def snake_case(name: str) -> str:
    """`FashionMNIST` -> `fashion_mnist`, `FMNISTCNN2` -> `fmnistcnn2`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def canonical(value: object, *, everything: bool = False) -> JSON:
    """The JSON form of a spec (or of a field's value) on which identity rests.

    With `everything`, fields that have their defaults are written too, as `spec.json` keeps them
    for a reader. Fields without identity are never written.
    """
    if isinstance(value, Spec):
        form: dict[str, JSON] = {"class": type(value).__name__, "revision": value.revision}
        kind: Any = type(value)
        if code := _code(kind):
            form[CODE] = code
        for f in dataclasses.fields(value):
            content = getattr(value, f.name)
            if f.metadata.get("identity", True) and (everything or content != _default(f)):
                form[f.name] = canonical(content, everything=everything)
        return form
    if isinstance(value, tuple):
        return [canonical(item, everything=everything) for item in value]
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        expect(math.isfinite(value), "a finite number in a spec", value=value)
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    raise BadInput(
        f"Expected a spec's field to be a number, string, tuple or spec. Received: {value!r}."
    )


@cache
def _code(kind: type[object]) -> str:
    """SHA-256 (hex) of a class outside this package, without comments, docstrings and layout.

    Empty for the package's classes, and where there is no source, as in an interactive session.
    """
    texts = []
    for one in kind.__mro__:
        if not issubclass(one, Spec) or one.__module__.startswith("ftnoise."):
            continue
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(one)))
        except (OSError, TypeError, SyntaxError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
                node.body = node.body[1:]
        texts.append(ast.dump(tree))
    return hashlib.sha256("\n".join(texts).encode()).hexdigest() if texts else ""


def _default(f: dataclasses.Field) -> object:
    if f.default_factory is not dataclasses.MISSING:
        return f.default_factory()
    return f.default


def digest(form: JSON) -> str:
    """SHA-256 (hex) of a canonical form."""
    text = json.dumps(form, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def weights_digest(network: Any) -> str:
    """SHA-256 (hex) of all variables of a Keras network, in Keras' order."""
    found = hashlib.sha256()
    for variable in network.weights:
        found.update(variable.numpy().tobytes())
    return found.hexdigest()


def spec_id(spec: Spec) -> str:
    """`<slug>-<8 hex digits>`: the id of a spec that is stored by itself, such as a measure."""
    return spec._id


def flat(spec: Spec) -> dict[str, float | str]:
    """All fields of a spec as dotted names: numbers and texts; the class stands for a spec."""
    found: dict[str, float | str] = {}

    def visit(prefix: str, form: JSON) -> None:
        if isinstance(form, dict):
            found[prefix or snake_case(form["class"])] = form["class"]
            for name, value in form.items():
                if name not in ("class", "revision", CODE):
                    visit(f"{prefix}.{name}" if prefix else name, value)
        elif isinstance(form, int | float | str):
            found[prefix] = form
        else:
            found[prefix] = str(form)

    visit("", canonical(spec, everything=True))
    return found
