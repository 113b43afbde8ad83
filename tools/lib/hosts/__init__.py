"""Booted Debian test hosts, the Git server they update from, and the application they run.

`tree` prepares one Debian tree per release, `host` boots private copies of it,
`git_server` and `upstream` are what the hosts fetch from, `demo_app` is what they run.
"""
