"""Git as the worker uses it: the mirror, work trees, the contents of a commit.

Takes commits and releases, returns values of model/. Upstream controls everything that is read
here. May import worker/environment/.
"""
