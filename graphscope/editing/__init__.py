"""Steps that change a model: its graph, and with it values, signatures and collections."""
