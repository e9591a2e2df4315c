"""Reports about models of other runtimes: the same rows as for TensorFlow's graphs, so that both are listed alike."""
