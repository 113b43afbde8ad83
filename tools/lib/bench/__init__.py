"""Measures the goals of docs/performance.md and compares with other programs for the same work."""
