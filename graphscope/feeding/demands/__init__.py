"""What the consumers of a placeholder demand of what is fed to it."""
