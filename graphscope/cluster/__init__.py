"""Several processes for one piece of work: which task is where, and processes that never outlive their launcher."""
