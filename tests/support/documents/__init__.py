"""The documentation as its readers follow it: what it tells them to type is run, and what it shows is compared."""
