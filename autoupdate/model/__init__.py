"""The types that every room uses: steps, events, errors, paths, verdicts, answers of the worker.

Nothing here reads or changes the host. Imports no other room.
"""
