"""The command autoupdatectl: its command line, the verbs, and what they print.

In come the arguments, out go lines on a terminal and an exit code. What a verb does is in verbs/,
how its facts look is in render/. May import every other room.
"""
