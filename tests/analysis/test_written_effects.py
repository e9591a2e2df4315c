"""Where the files that a graph touches are named, in graphs written as text."""

from __future__ import annotations

import re
from typing import Any

import pytest

from graphscope.analysis.effects import PathSource, find_effects, named_files
from graphscope.core.graph import Function, Graph
from graphscope.core.values.dtypes import DataType
from graphscope.protos import AttrValue, FunctionDef, GraphDef
from tests.support.written import graph_of

S = {"string": int(DataType.STRING), "int": int(DataType.INT32)}


def written(text: str) -> Graph:
    """``name op input; ...``, then ``function name argument:type ...; name op input; ...`` for each function.

    ``op@f`` calls ``f`` through an attribute.
    """
    main, *functions = re.split(r"; function |^function ", text)
    return Graph(GraphDef(), _nodes(main), [_function(*part.split("; ", 1)) for part in functions])


def _nodes(text: str) -> Any:
    lines = [line for line in text.split("; ") if line]
    made = graph_of(re.sub(r"@\w+", "", line) for line in lines)
    for node, line in zip(made.nodes, lines, strict=True):
        for name in re.findall(r"@(\w+)", line):
            node.proto.attr[f"f_{name}"].CopyFrom(AttrValue(func={"name": name}))
    return made.nodes


def _function(head: str, body: str) -> Function:
    name, *arguments = head.split()
    proto = FunctionDef()
    proto.signature.name = name
    for argument in arguments:
        called, _, kind = argument.partition(":")
        proto.signature.input_arg.add(name=called, type=S[kind])
    return Function(proto, _nodes(body))


P = 'p Const:string="/p"'
Q = 'q Const:string="/q"'
FILE = "fed Placeholder:string()"
CASES: list[tuple[str, str]] = [
    (f"{P}; r ReadFile p", "r constant /p"),
    ("r ReadFile p", "r computed"),
    ("r ReadFile", "r computed"),
    (f"{FILE}; r ReadFile fed", "r fed"),
    ("p PlaceholderV2:string(); r ReadFile p", "r fed"),
    (f"{P}; d PlaceholderWithDefault p; r ReadFile d", "r constant /p"),
    ("known Foo; r ReadFile known", "r fed"),
    ("own Foo; r ReadFile own", "r own"),
    ("known/own Foo; r ReadFile known/own", "r own"),
    ("f Foo; r ReadFile f", "r computed"),
    ("p Const:int32=1; r ReadFile p", "r constant"),
    ('p Const:string=["/a","/b","/c","/d"]; r ReadFile p', "r constant /a, /b, /c"),
    ('r ImmutableConst{"memory_region_name":"/m"}', "r constant /m"),
    ("r ImmutableConst", "r constant"),
    ("r Abort", "r computed"),
    ('r PrintV2{"output_stream":"stderr"} x', ""),
    ('r PrintV2{"output_stream":"/x"} x', "r constant /x"),
    # what a path is made of
    (f"{P}; i Identity p; j Reshape i n; r ReadFile j", "r constant /p"),
    (f"{P}; {FILE}; m Pack fed p; r ReadFile m", "r constant /p"),
    (f"{P}; {FILE}; m Merge p fed; r ReadFile m", "r constant /p"),
    (f"{P}; {Q}; m Pack p q; r ReadFile m", "r constant /q"),
    (f"{P}; e Const:string=\"\"; m Pack p e; r ReadFile m", "r constant /p"),
    (f"{P}; own Foo; m Pack own p own; r ReadFile m", "r constant /p"),
    (f"{P}; c Foo; m Pack c p; r ReadFile m", "r computed"),
    (f"{FILE}; c Foo; m ConcatV2 fed c; r ReadFile m", "r fed"),
    (f"{FILE}; {P}; m Select c fed p; c Foo; r ReadFile m", "r constant /p"),
    (f"{FILE}; m SelectV2 c fed fed q; c Foo; {Q}; r ReadFile m", "r fed"),
    (f"{FILE}; i Identity fed loop; loop Identity i; r ReadFile loop", "r fed"),
    ("a NextIteration b; b Enter a; r ReadFile a", "r own"),
    # what is put behind a path
    (f'{FILE}; t Const:string="_temp/part"; j StringJoin fed t; r ReadFile j', "r fed"),
    (f'{FILE}; t Const:string="/../x"; j StringJoin fed t; r ReadFile j', "r computed"),
    (f'{FILE}; t Const:string=["x","/../x"]; j StringJoin fed t; r ReadFile j', "r computed"),
    (f"{FILE}; j StringJoin fed fed; r ReadFile j", "r computed"),
    (f"{FILE}; j StringJoin fed; r ReadFile j", "r fed"),
    (f"{FILE}; j StringJoin fed lost; r ReadFile j", "r computed"),
    (f"{FILE}; j ShardedFilename fed x y; r ReadFile j", "r fed"),
    (f'{FILE}; t Const:string="a"; u Identity t; v Identity u; j StringJoin fed v; r ReadFile j', "r fed"),
    (f'{FILE}; t Const:string="a"; k StringJoin t t; j StringJoin fed k; r ReadFile j', "r computed"),
    (f'{FILE}; t Const:string="a"; u Const:string=".."; j StringJoin fed t u; r ReadFile j', "r computed"),
    # variables
    (f"v VarHandleOp:string(); {P}; a AssignVariableOp v p; w ReadVariableOp v; r ReadFile w", "r constant /p"),
    (f"v VarHandleOp:string(); {FILE}; a AssignVariableOp v fed; w ReadVariableOp v; r ReadFile w", "r fed"),
    (f"stored VarHandleOp; {FILE}; a AssignVariableOp stored fed; w ReadVariableOp stored; r ReadFile w", "r computed"),
    (f"v VarHandleOp:string(); {FILE}; a AssignVariableOp v fed; w ReadVariableOp v; o Foo v; r ReadFile w", "r computed"),
    ("v VarHandleOp:string(); w ReadVariableOp v; r ReadFile w", "r computed"),
    # functions
    (f"{P}; c f p; function f a:string; r ReadFile a", "r constant /p"),
    (f"{P}; {FILE}; c f p fed; c2 f fed p; function f a:string b:string; r ReadFile b", "r constant /p; r fed"),
    (f"{P}; n Foo; c f n p; function f a:int b:string; r ReadFile b", "r constant /p"),
    (f"{P}; n Foo; c f n p; function f a:int b:string; r ReadFile a", "r computed"),
    (f"{P}; c PartitionedCall@f p; function f a:string; r ReadFile a", "r constant /p"),
    (
        f"{P}; n Foo; c If@f@g n p; function f a:string; r ReadFile a; function g a:string; w WriteFile a a",
        "r constant /p; w constant /p",
    ),
    (f"{P}; c While@f p; function f a:string; r ReadFile a", "r computed"),
    (f"{P}; c PartitionedCall@lost p", ""),
    ("known Foo; c f known; function f a:string; known Foo; r ReadFile known", "r computed"),
    ("c f; function f; p Placeholder:string(); r ReadFile p", "r computed"),
    (f"{P}; c f p; function f a:string; v VarHandleOp; w ReadVariableOp v; s AssignVariableOp v a; r ReadFile w", "r computed"),
    (f"{P}; c f p; c2 f p; function f a:string; r ReadFile a", "r constant /p"),
    (f"{P}; r ReadFile p; r2 ReadFile p", "r constant /p; r2 constant /p"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), CASES, ids=[text for text, _ in CASES])
def test_where_a_file_is_named(text: str, expected: str) -> None:
    found = find_effects(written(text), fed={"known", "known/own"}, own={"own", "known/own"}, stored={"stored"})
    rows = [f"{e.node} {e.target.source.name.lower()} {e.target.text}".rstrip() for e in found]
    assert sorted(rows) == sorted(filter(None, expected.split("; ")))


def test_an_effect_says_where_it_lies() -> None:
    [found] = find_effects(written(f"{P}; c f p; function f a:string; r ReadFile a"))
    assert (found.function, found.op, found.does.reason) == ("f", "ReadFile", "reads the file")


@pytest.mark.parametrize(("length", "source"), [(14, PathSource.FED), (15, PathSource.COMPUTED)])
def test_what_is_put_behind_a_path_is_followed_a_bounded_number_of_steps(length: int, source: PathSource) -> None:
    chain = "; ".join(f"i{k + 1} Identity i{k}" for k in range(length))
    text = f'{FILE}; i0 Const:string="a"; {chain}; j StringJoin fed i{length}; r ReadFile j'
    [found] = find_effects(written(text))
    assert found.target.source is source


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{P}; r ReadFile p", ["/p"]),
        (f"{P}; {Q}; r ReadFile p; s ReadFile q; t ReadFile p", ["/p", "/q"]),
        (f"{P}; r WriteFile p p", []),
        (f"{P}; r RestoreV2 p", []),
        (f"{FILE}; r ReadFile fed", []),
        ("p Const:int32=1; r ReadFile p", []),
        (f'{P}; r TFRecordReaderV2; c Const:string=["a/b","C:/x","gs://y","/","+://z"]', ["/p", "C:/x", "gs://y"]),
        (f"{P}; r TFRecordReaderV2; n Const:int32=1; function f; {Q}", ["/p", "/q"]),
    ],
)  # fmt: skip
def test_files_that_are_named(text: str, expected: list[str]) -> None:
    assert named_files(written(text)) == expected
