"""Text for people: how the facts of each verb look, in 80 columns.

Colours are put in as escape sequences; output.py removes them again where there is no terminal.
"""
