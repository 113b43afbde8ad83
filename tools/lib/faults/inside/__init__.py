"""Scripts that are copied into a host and run there by its own Python."""
