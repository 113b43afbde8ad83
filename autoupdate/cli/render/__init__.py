"""Words for people: how the facts of each verb look, in 80 columns.

Colours are put in as escape sequences; output.py takes them out again where there is no terminal.
What upstream wrote is made printable first, so that no escape sequence of it is printed.
"""
