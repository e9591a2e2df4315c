"""What is known of TensorFlow's ops: arguments and outputs, groups, effects, releases."""
