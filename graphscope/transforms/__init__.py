"""Graph -> Graph: small, pure, composable transforms; each returns the given graph if there is nothing to do."""
