"""Keeps a Python application that is deployed from Git up to date on a Debian host."""
