"""TensorFlow Lite files, to look at: a flatbuffer, read without TensorFlow and without the package flatbuffers."""
