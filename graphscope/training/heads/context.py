"""The context of a head while it is built."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

SEED_BOUND = (1 << 31) - 1


@dataclass(frozen=True, slots=True)
class Built:
    """One layer of a head.

    Attributes:
        text: as written.
        before, after: shapes of its input and its output.
    """

    text: str
    before: tuple[int | None, ...]
    after: tuple[int | None, ...]


@dataclass
class Context:
    """Where a head is built, and what it asks for. A Python head may take it as its second argument.

    Attributes:
        tf: the ``tensorflow`` package.
        scope: name scope of the head.
        seed: of everything random.
        global_step: the step's tensor: what is random in training is keyed by it.
        layers: what was built.
    """

    tf: Any
    scope: str
    seed: int
    global_step: Any
    layers: list[Built] = field(default_factory=list)
    switch: Any = None

    @property
    def training(self) -> Any:
        """Bool scalar: whether a training step runs. The placeholder is made when it is first asked for; False unless fed."""
        if self.switch is None:
            with self.tf.control_dependencies(None), self.tf.name_scope(f"{self.scope}/"):
                self.switch = self.tf.compat.v1.placeholder_with_default(False, (), name="training")
        return self.switch

    def variable(self, name: str, shape: Sequence[int], initial: Any = None, *, trainable: bool = True) -> Any:
        """A new float32 variable in the current variable scope; Glorot uniform unless ``initial`` says a number."""

        def first(shape: Any, **_: Any) -> Any:
            return self.tf.fill(shape, initial) if initial is not None else self._glorot(shape, name)

        v1 = self.tf.compat.v1
        return v1.get_variable(name, list(shape), self.tf.float32, initializer=first, trainable=trainable)

    def _glorot(self, shape: Any, name: str) -> Any:
        """Uniform in +-sqrt(6 / (fan in + fan out)); the fans of a convolution count its window (Glorot and Bengio, 2010)."""
        sizes = [int(size) for size in shape]
        window = 1
        for size in sizes[:-2]:
            window *= size
        limit = (6.0 / (window * (sizes[-2] + sizes[-1]))) ** 0.5
        key = self.key(f"{self.tf.compat.v1.get_variable_scope().name}/{name}")
        return self.tf.random.stateless_uniform(sizes, [self.seed, key], -limit, limit)

    def random_uniform(self, shape: Any, name: str) -> Any:
        """Uniform in [0, 1), keyed by seed, name and step: a run that goes on draws what an unbroken one would."""
        tf = self.tf
        first = tf.constant((self.seed * 1_000_003 + self.key(name)) % SEED_BOUND, tf.int64)
        return tf.random.stateless_uniform(shape, tf.stack([first, tf.cast(self.global_step, tf.int64)]))

    @staticmethod
    def key(name: str) -> int:
        """A number for ``name``, the same in every run."""
        return zlib.crc32(name.encode()) % SEED_BOUND

    def when_training(self, function: Any, value: Any) -> Any:
        """``function(value)`` in a training step, else ``value``. Both are tensors of one shape."""
        return self.tf.compat.v1.cond(self.training, lambda: function(value), lambda: self.tf.identity(value))


@contextlib.contextmanager
def plain_control_flow(tf: Any) -> Iterator[None]:
    """Conditions become ``Switch`` and ``Merge``, which every tool for graphs understands, not calls of functions."""
    v1 = tf.compat.v1
    was_on = v1.control_flow_v2_enabled()
    v1.disable_control_flow_v2()
    try:
        yield
    finally:
        if was_on:
            v1.enable_control_flow_v2()
