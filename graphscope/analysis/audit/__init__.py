"""What a model can do to the machine that opens or runs it, read without running it."""
