"""Checks of the whole package that take long: run by hand before a release, not in CI."""
