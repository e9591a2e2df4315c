"""The data that TensorBoard reads: event files with graphs, run metadata, summaries. Needs no TensorFlow."""
