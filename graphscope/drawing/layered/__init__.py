"""Layered layout of one scope: ranks, an order with few crossings, coordinates. It knows sizes and edges, not graphs."""
