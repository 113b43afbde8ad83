"""The stored state of an app: state.db, its copies, and one module for each small table.

Takes and returns the values of rows.py; gates/ and update/ decide what they mean for an update.
May import the rooms from host/ down.
"""
