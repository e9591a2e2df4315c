"""The commands: one row for each. Reading the table imports none of them, and no Typer."""

from __future__ import annotations

from graphscope.named_tuple import NamedTuple


class CommandRow(NamedTuple):
    """One command.

    Attributes:
        panel: its heading in the help.
        help: one line, imperative.
        module, function: its location in ``graphscope.cli.commands``; it is imported when it is called.
    """

    panel: str
    help: str
    module: str
    function: str


COMMANDS = {
    "info": CommandRow("Look", "Summarize a model and suggest what to type next.", "info", "info"),
    "nodes": CommandRow("Look", "List the nodes or tensors of a graph, filtered, as a list or tree.", "nodes", "nodes"),
    "vars": CommandRow("Look", "List variables or constants, with statistics if asked for.", "vars", "variables"),
    "show": CommandRow("Look", "Show one node or variable in full.", "show", "show"),
    "cost": CommandRow("Look", "Count parameters, operations, bytes and memory by layer.", "cost", "cost"),
    "audit": CommandRow("Judge", "Report what models can do to the machine that runs them.", "audit", "audit"),
    "diff": CommandRow("Judge", "Compare two models.", "diff", "diff"),
    "verify": CommandRow("Judge", "Run two models on the same inputs and compare them.", "verify", "verify"),
    "text": CommandRow("Judge", "Write a model as text to compare: one line for each node.", "text", "text"),
    "freeze": CommandRow("Convert", "Replace variables with constants: one graph file.", "freeze", "freeze"),
    "convert": CommandRow("Convert", "Write a model in another format.", "convert", "convert"),
    "edit": CommandRow("Convert", "Change a model step by step.", "edit", "edit"),
    "run": CommandRow("Run", "Run a model once and show its outputs.", "run", "run"),
    "eval": CommandRow("Run", "Evaluate a model on labeled examples.", "eval", "evaluate"),
    "profile": CommandRow("Run", "Measure time, memory, devices and the critical path.", "profile", "profile"),
    "serve": CommandRow("Run", "Serve one task of a cluster, for others to run graphs on.", "serve", "serve"),
    "graft": CommandRow("Train", "Put a new head on a trained model.", "graft", "graft"),
    "features": CommandRow("Train", "Compute a tensor for every example and keep it as data.", "features", "features"),
    "tune": CommandRow("Train", "Train the head that graft added.", "tune", "tune"),
    "draw": CommandRow("See", "Draw a graph as a picture or as a page to explore.", "draw", "draw"),
    "dump": CommandRow("See", "Log a model's graph and weights for TensorBoard.", "dump", "dump"),
    "scalars": CommandRow("See", "Show the curves in training logs.", "scalars", "scalars"),
    "board": CommandRow("See", "Start TensorBoard on logs or on a model.", "board", "board"),
}
PANELS = ("Look", "Judge", "Convert", "Run", "Train", "See")
