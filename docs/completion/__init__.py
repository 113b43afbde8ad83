"""Generates the completion of autoupdatectl for bash, zsh and fish from its parser.

The generators are our own: shtab of Debian 12 completes only the first of several words and does
not support fish, and argcomplete would start Python at each press of the Tab key.
"""
