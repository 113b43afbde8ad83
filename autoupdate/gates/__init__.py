"""Whether a commit may be deployed: one module for each gate, in the order of order.py.

A gate takes an App and a commit and returns a Verdict with its reason. It changes nothing except
its own records. May import the rooms from notifications/ down.
"""
