"""One run, from the lock to its end: a module for each word of the sentence, in update.py.

    recover → check → fetch → verify → guard → build → rehearse → activate → probation
    → confirm | roll back

In comes an App, out goes an Outcome. May import the rooms from gates/ down.
"""
