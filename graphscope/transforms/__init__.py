"""Graph -> Graph: small, pure, composable; each returns the graph that it was given, if there was nothing to do."""
