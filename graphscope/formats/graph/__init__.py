"""Graphs: GraphDef and MetaGraphDef files."""
