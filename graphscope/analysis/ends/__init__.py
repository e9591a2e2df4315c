"""The ends of a graph: its likely outputs and its inputs, from the flow of data to losses, labels and savers."""
