"""Keeps a Python application that is deployed from Git up to date on a Debian host.

Its folders are rooms, and each may import only those below it: docs/design.md has the map, and
tests/unit/test_rooms.py the order.
"""
