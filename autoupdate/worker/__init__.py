"""The process without rights: all that touches what upstream wrote runs as user _autoupdate.

A run calls client.py; link.py starts the process and carries JSON lines; server.py answers there,
by the code in repository/, environment/ and signatures/. May import the rooms from upstream/ down.
"""
