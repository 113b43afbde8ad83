"""Makes the completion of autoupdatectl for bash, zsh and fish from its parser.

By hand, because the shtab of Debian 12 offers only the first of several words and knows no fish,
and argcomplete would start an interpreter at each press of the key.
"""
