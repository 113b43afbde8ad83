"""The application that test hosts run."""
