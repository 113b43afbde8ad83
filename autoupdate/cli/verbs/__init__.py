"""The verbs of autoupdatectl: functions of the host's paths, an app and the parsed arguments.

parser.py says which function belongs to which verb. Each module imports only what it needs.
"""
