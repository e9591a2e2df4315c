"""What the consumers of a placeholder require of its value."""
