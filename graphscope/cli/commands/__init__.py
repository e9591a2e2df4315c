"""One module for each command: load, one library call, render."""
