"""What systemd asks before a service starts: may it start now, and on which release?

In comes the name of an app, out goes an exit code. The fast path answers in milliseconds while
nothing has changed, from facts that the last run left; the gate decides everything else. May import
the rooms from reports/ down.
"""
