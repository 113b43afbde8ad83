"""How the remote repository is reached: the question for its newest commit, credentials, git.

In come the settings of upstream, out go names of commits. May import the rooms from records/ down.
"""
