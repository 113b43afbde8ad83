"""The unprivileged process: everything that handles upstream's files runs as user _autoupdate.

A run calls client.py; link.py starts the process and exchanges JSON lines with it; server.py
answers there, with the code in repository/, environment/ and signatures/. May import the rooms from
upstream/ down.
"""
