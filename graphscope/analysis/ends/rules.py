"""The rules by which the tensors of a graph are ranked as likely outputs, each with a reason for the user."""

from __future__ import annotations

from collections.abc import Callable

from graphscope.analysis.ends.flow import VARIES
from graphscope.analysis.ends.losses import is_free
from graphscope.analysis.ends.names import BAD_NAMES, name_points
from graphscope.analysis.ends.ranking import PASSED, POSTPROCESSING, REDUCTIONS, Ranking
from graphscope.analysis.ends.unlabelled import RESHAPES
from graphscope.core.ops.sets import SWITCHES
from graphscope.named_tuple import NamedTuple

_ARITHMETIC = frozenset("Square Log Log1p Exp Abs Neg Softplus".split())


class _Rule(NamedTuple):
    """Points for a candidate, and the reason to show if they are positive."""

    reason: str
    points: Callable[[Ranking, int], float]


def _feeds_loss(ranking: Ranking, i: int) -> float:
    """A reshape between the logits and the loss is the loss's own."""
    if i in ranking.stopped:
        return 0.0
    if i in ranking.shared or i in ranking.before_drawn:
        return 25.0
    if i in ranking.feeders:
        points = 20.0 if ranking.op(i) in PASSED - RESHAPES - {"Identity"} or ranking.is_own_reshape(i) else 25.0
        return points if i in ranking.compared else 5.0
    if i not in ranking.logits:
        return 0.0
    after = [c for c in ranking.flow.consumers[i] if c in ranking.logits and ranking.op(c) not in SWITCHES]
    return 24.0 if all(map(ranking.is_own_reshape, after)) else 23.0


def _depth(ranking: Ranking, i: int) -> float:
    if i in ranking.handed_on:
        return 40.0
    return 40.0 * ranking.flow.depth[i] / ranking.deepest if ranking.deepest else 0.0


def _comes_late(ranking: Ranking, i: int) -> float:
    """An unconsumed node that uses a source fed after the last weights is usually the intended output."""
    mask = ranking.flow.sources[i]
    if not ranking.flow.is_trained or not mask & (ranking.late | VARIES):
        return 0.0
    return 60.0 if is_free(ranking.flow, i) or (mask & VARIES and ranking.is_leaf(i)) else 0.0


def _postprocessing(ranking: Ranking, i: int) -> float:
    """Class ids and comparisons are less than the scores that they come from, unless the author named them."""
    if ranking.op(i) not in POSTPROCESSING:
        return 0.0
    return -10.0 if name_points(ranking.name(i)) > 8 or ranking.is_leaf(i) else -20.0


RULES: tuple[_Rule, ...] = (
    _Rule("feeds the loss", _feeds_loss),
    _Rule("end of the computation, with what is fed behind the last layer", _comes_late),
    _Rule("what the loss judges by itself", lambda r, i: 25.0 if i in r.transformed else 0.0),
    _Rule("compared with what is fed", lambda r, i: 25.0 if i in r.reconstructed and not r.forward[i] else 0.0),
    _Rule("", lambda r, i: -60.0 if i in r.drawn else 0.0),
    _Rule("", lambda r, i: -40.0 if i in r.copied else 0.0),
    _Rule("passed to another network", lambda r, i: 50.0 if i in r.handed_on else 0.0),
    _Rule("last layer of a network", lambda r, i: 20.0 if i in r.last_layers - r.logits - r.activated else 0.0),
    _Rule("", lambda r, i: -15.0 if i in r.feeders and r.op(i) in _ARITHMETIC else 0.0),
    _Rule("", lambda r, i: -25.0 if i in r.forms else 0.0),
    _Rule("", lambda r, i: -60.0 if r.is_loss(i) else 0.0),
    _Rule("", lambda r, i: -25.0 if r.is_own_reshape(i) else 0.0),
    _Rule("", lambda r, i: -60.0 if i in r.flow.gradients else 0.0),
    _Rule("activation of what feeds the loss", lambda r, i: 30.0 if i in r.activated else 0.0),
    _Rule("average of several parts", lambda r, i: 60.0 if i in r.averaged else 0.0),
    _Rule("", lambda r, i: -20.0 if i in r.summed_up else 0.0),
    _Rule("named like a prediction", lambda r, i: name_points(r.name(i))),
    _Rule("", lambda r, i: 20.0 if i in r.named_scores else 0.0),
    _Rule("nothing consumes it", lambda r, i: 15.0 if r.is_leaf(i) else 0.0),
    _Rule("end of the forward computation", lambda r, i: 8.0 if r.is_end(i) and not r.is_leaf(i) else 0.0),
    _Rule("leaves the model's name scope", lambda r, i: 12.0 if r.leaves_scope(i) else 0.0),
    _Rule("joins the outputs of several parts", lambda r, i: 15.0 if r.joins(i) else 0.0),
    _Rule("a probability", lambda r, i: 12.0 if i in r.probabilities else 0.0),
    _Rule("", _depth),
    _Rule("", lambda r, i: -45.0 if BAD_NAMES.search(r.name(i)) else 0.0),
    _Rule("", _postprocessing),
    _Rule("", lambda r, i: -12.0 if r.op(i) in REDUCTIONS else 0.0),
)
