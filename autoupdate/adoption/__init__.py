"""Taking over a checkout that something else updated until now, and giving a plain one back.

In come a directory and an app, out goes an Outcome. Every move is in a journal before it is made,
so that it can be undone. May import the rooms from update/ down.
"""
