"""Variables, and how they find their values in a checkpoint."""
