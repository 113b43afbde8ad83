"""Scripts that are copied into a host and run there with its Python."""
