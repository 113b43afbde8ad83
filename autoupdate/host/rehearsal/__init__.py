"""Services that are started from a release in a sandbox, in parallel with those that run."""
