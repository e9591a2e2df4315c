"""Archives of named arrays: NumPy's and safetensors."""
