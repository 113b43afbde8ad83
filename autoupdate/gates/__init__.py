"""Why a commit is taken or not: one gate a module, their order in order.py.

In come an App and a commit, out goes a Verdict with its reason. A gate changes nothing but what is
recorded of its own question. May import the rooms from notifications/ down.
"""
