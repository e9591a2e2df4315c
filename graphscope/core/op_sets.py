"""What is known of ops beyond TensorFlow's op table: which of them belong together, and why."""

from __future__ import annotations

DEFAULTED = "PlaceholderWithDefault"
"""The placeholder that need not be fed."""

PLACEHOLDER_OPS = frozenset({"Placeholder", "PlaceholderV2", DEFAULTED})
"""Ops whose value a person gives."""

RANDOM_OPS = frozenset(
    "RandomUniform RandomUniformInt RandomStandardNormal TruncatedNormal ParameterizedTruncatedNormal RandomGamma Multinomial"
    " RandomPoisson RandomPoissonV2 RandomShuffle StatelessRandomUniform StatelessRandomUniformV2 StatelessMultinomial"
    " StatelessRandomNormal StatelessRandomNormalV2 StatelessTruncatedNormal StatelessTruncatedNormalV2 StatefulUniform"
    " StatefulStandardNormal StatefulStandardNormalV2 StatefulTruncatedNormal StatefulRandomBinomial".split()
)
"""Ops that draw random numbers. What stateless ones draw is fixed by their seed, which is usually drawn itself."""

SWITCHES = frozenset({"Switch", "RefSwitch"})
"""Ops that pass their data on to one of two branches."""

MERGES = frozenset({"Merge", "RefMerge"})
"""Ops that give whichever of their inputs is alive."""

ENTERS = frozenset({"Enter", "RefEnter"})
EXITS = frozenset({"Exit", "RefExit"})
NEXT_ITERATIONS = frozenset({"NextIteration", "RefNextIteration"})
"""Ops that lead into a loop's frame, out of it, and back to its beginning: the edges that close a loop."""
