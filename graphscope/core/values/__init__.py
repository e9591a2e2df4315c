"""The content of tensors: data types, weights that stay in their files, tensor messages, partitions, checksums."""
