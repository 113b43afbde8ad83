"""Git as the worker uses it: the mirror, work trees, what is in a commit.

In come names of commits and releases, out go values of model/. Everything read here was chosen by
upstream. May import worker/environment/.
"""
