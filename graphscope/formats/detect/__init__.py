"""From what a person names to the files of one model, told apart by content."""
