"""Layered layout of one scope: ranks, an order with few crossings, coordinates. It works on sizes and edges, not graphs."""
