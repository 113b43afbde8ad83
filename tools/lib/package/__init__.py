"""Checks of the package as a whole that take long: run by hand before a release, not in CI."""
