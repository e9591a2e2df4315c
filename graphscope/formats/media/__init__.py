"""Pictures and files of labels."""
