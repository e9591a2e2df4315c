"""Several processes for one job: the locations of tasks, and processes that never outlive their launcher."""
