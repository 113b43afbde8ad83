"""What a person types: the command line, what it calls, and what is printed.

In come the words of a command line, out go lines on a terminal and an exit code. What a verb does
is in verbs/, how its facts look is in render/. May import every other room.
"""
