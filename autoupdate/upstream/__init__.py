"""Access to the remote repository: its newest commit, credentials, the environment of git.

Takes the settings of upstream, returns commits. May import the rooms from records/ down.
"""
