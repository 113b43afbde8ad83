"""What is remembered of an app: state.db, its copies, and one module for each small table.

In and out go the values of rows.py. What they mean for an update is for gates/ and update/ to say.
May import the rooms from host/ down.
"""
