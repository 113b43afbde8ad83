"""The virtual environment of a release: installed by uv or pip, copied, tried out.

In come a work tree and the settings of a build, out goes a finished `.venv` or the reason why there
is none. Runs what upstream wrote.
"""
