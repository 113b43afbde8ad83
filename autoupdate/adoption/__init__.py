"""Adopts a checkout that an old updater maintained until now, and gives a plain checkout back.

Takes an app and a directory, returns an Outcome. A journal lists every move before it is made, so
that it can be undone. May import the rooms from update/ down.
"""
