"""Random numbers."""

from __future__ import annotations

from graphscope.analysis.shapes.arithmetic import broadcast
from graphscope.analysis.shapes.call import Call
from graphscope.analysis.shapes.facts import Facts, outputs
from graphscope.analysis.shapes.sizes import Dims, merge
from graphscope.analysis.shapes.table import rule


@rule("RandomUniform RandomUniformInt RandomStandardNormal TruncatedNormal ParameterizedTruncatedNormal Empty")
def by_shape(call: Call) -> Facts:
    """The stated shape."""
    return outputs(call.sizes(0))


@rule(
    "StatelessRandomUniform StatelessRandomNormal StatelessTruncatedNormal StatelessRandomUniformInt"
    " StatelessRandomUniformFullInt"
)
def stateless(call: Call) -> Facts:
    """The stated shape; the seed is a pair."""
    merge(call.ranked(1, 1), (2,))
    return outputs(call.sizes(0))


@rule(
    "StatelessRandomUniformV2 StatelessRandomNormalV2 StatelessTruncatedNormalV2 StatelessRandomUniformIntV2"
    " StatelessRandomUniformFullIntV2"
)
def stateless_v2(call: Call) -> Facts:
    """The stated shape; key, counter and algorithm follow it."""
    merge(call.ranked(1, 1), (1,))
    call.ranked(2, 1)
    call.ranked(3, 0)
    return outputs(call.sizes(0))


@rule(
    "StatefulStandardNormal StatefulStandardNormalV2 StatefulTruncatedNormal StatefulUniform"
    " StatefulUniformInt StatefulUniformFullInt"
)
def stateful(call: Call) -> Facts:
    """The stated shape."""
    return outputs(call.sizes(1 if call.node.op == "StatefulStandardNormal" else 2))


@rule("RandomGamma RandomPoisson RandomPoissonV2")
def with_rates(call: Call) -> Facts:
    """The stated shape in front of that of the parameters."""
    return outputs(_join(call.sizes(0), call.shape(1)))


def _join(front: Dims, back: Dims) -> Dims:
    return None if front is None or back is None else front + back


@rule(
    "StatelessRandomGammaV2 StatelessRandomGammaV3 StatelessRandomPoisson StatelessRandomBinomial"
    " StatefulRandomBinomial StatelessParameterizedTruncatedNormal"
)
def parameterized(call: Call) -> Facts:
    """The stated shape; the parameters are broadcast to it."""
    return outputs(call.sizes(2 if call.node.op == "StatefulRandomBinomial" else 0))


@rule("RandomShuffle")
def shuffle(call: Call) -> Facts:
    """The same shape."""
    return outputs(call.shape(0))


@rule("Multinomial StatelessMultinomial")
def multinomial(call: Call) -> Facts:
    """As many samples as stated for each row."""
    logits = call.ranked(0, 2)
    call.ranked(1, 0)
    return outputs((logits[0], call.size(1)))


@rule("RandomGammaGrad")
def gamma_gradient(call: Call) -> Facts:
    """Both are broadcast."""
    return outputs(broadcast(call.shape(0), call.shape(1)))


@rule("StatelessRandomGetKeyCounter")
def key_and_counter(call: Call) -> Facts:
    """A key and a counter."""
    merge(call.ranked(0, 1), (2,))
    return outputs((1,), (2,))


@rule("StatelessRandomGetKeyCounterAlg")
def key_counter_algorithm(call: Call) -> Facts:
    """A key, a counter and an algorithm."""
    merge(call.ranked(0, 1), (2,))
    return outputs((1,), (2,), ())


@rule(
    "UniformCandidateSampler LogUniformCandidateSampler LearnedUnigramCandidateSampler FixedUnigramCandidateSampler"
    " ThreadUnsafeUnigramCandidateSampler AllCandidateSampler"
)
def candidate_sampler(call: Call) -> Facts:
    """As many candidates as stated, and how often each is expected."""
    sampled = call.number("num_sampled")
    true = call.ranked(0, 2)
    return outputs((sampled,), (true[0], call.number("num_true")), (sampled,))
