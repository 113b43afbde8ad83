"""What each verb of autoupdatectl does: a function of the host's paths, an app and the arguments.

Which function belongs to which verb is in parser.py. Each imports only what it needs.
"""
