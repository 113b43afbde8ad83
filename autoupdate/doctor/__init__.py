"""What is wrong on this host for one app, and its cures: a module for each kind of problem.

A check looks at one thing and changes nothing. It leaves out what this user cannot see.
"""
