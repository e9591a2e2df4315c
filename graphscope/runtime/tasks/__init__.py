"""The tasks of a cluster: TensorFlow's servers, sessions on their master, where nodes are placed, who answers."""
