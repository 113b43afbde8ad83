"""The words that every room uses: steps, events, errors, paths, verdicts, values of the worker.

Nothing here touches the host. Imports no other room.
"""
