"""Whether every node of a graph is in one loop's frame, as TensorFlow's executor demands.

Source: ``BuildControlFlowInfo`` in ``tensorflow/core/graph/control_flow.cc``: ``Enter`` leads into a frame, ``Exit`` out of it,
and all inputs of any other node, control inputs too, must come from the same frame. A node without inputs is outside all loops.
"""

from __future__ import annotations

from graphscope.core.graph import Body, Node
from graphscope.core.ops.sets import ENTERS, EXITS
from graphscope.core.tensors import node_of
from graphscope.errors import GraphscopeError

Frame = tuple[str, ...]
"""Names of the loops around a node, outermost first; empty outside all loops."""


def refuse_mixed_frames(body: Body) -> None:
    """Refuses a graph that TensorFlow would refuse to run because a node takes inputs of two frames.

    Raises:
        GraphscopeError: there is such a node.
    """
    if not ENTERS.isdisjoint(body.ops):
        frames_of(body)


def frames_of(body: Body) -> dict[str, Frame]:
    """Node -> the loops that it is in; what only a cycle without an entrance leads to is left out.

    Raises:
        GraphscopeError: a node takes inputs of two frames.
    """
    frames: dict[str, Frame] = {}
    pending = [node.name for node in body if not node.inputs]
    frames.update(dict.fromkeys(pending, ()))
    while pending:
        producer = body.by_name[pending.pop()]
        for consumer in body.consumers(producer.name):
            frame = entered(consumer, left(producer.op, frames[producer.name]))
            if consumer.name not in frames:
                frames[consumer.name] = frame
                pending.append(consumer.name)
            elif frames[consumer.name] != frame:
                raise GraphscopeError(
                    f"node {consumer.name} ({consumer.op}) would take inputs from {_text(frame)} and from"
                    f" {_text(frames[consumer.name])}: TensorFlow does not run such a graph",
                    hint="a graph can be cut open before or after a loop, not inside it",
                )
    return frames


def refuse_inside_loop(body: Body, tensor: str) -> None:
    """Refuses a tensor of a loop's iterations as what a model gives: TensorFlow does not fetch it.

    Raises:
        GraphscopeError: it is one.
    """
    frame = frames_of(body).get(node_of(tensor), ()) if not ENTERS.isdisjoint(body.ops) else ()
    node = body.get(node_of(tensor))
    if frame and node is not None and left(node.op, frame):
        raise GraphscopeError(
            f"{tensor} is inside {_text(frame)}: it has a value for each iteration, and TensorFlow fetches none",
            hint="take what leaves the loop",
        )


def left(op: str, frame: Frame) -> Frame:
    """The frame of what a node of ``op`` gives, which itself is in ``frame``."""
    return frame[:-1] if op in EXITS else frame


def entered(node: Node, frame: Frame) -> Frame:
    """The frame of ``node``, which takes what is in ``frame``."""
    if node.op not in ENTERS:
        return frame
    name = node.attr("frame_name")
    return (*frame, name.s.decode(errors="replace") if name is not None else "")


def _text(frame: Frame) -> str:
    return f"the loop {frame[-1]}" if frame else "outside all loops"
