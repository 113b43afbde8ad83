"""One run, from the lock to its end: one module for each step, called in order by update.py.

    recover → check → fetch → verify → guard → build → rehearse → activate → probation
    → confirm | roll back

Each takes an App; a run returns an Outcome. May import the rooms from gates/ down.
"""
