"""The virtual environment of a release: installed by uv or pip, copied, tested.

Takes a work tree and the settings of a build; makes a complete `.venv`, or reports why it cannot.
Runs upstream's code.
"""
