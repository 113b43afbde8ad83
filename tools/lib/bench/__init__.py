"""Measures the goals of docs/performance.md side by side with what else could do the work."""
