"""What ExecStartPre= calls before a service starts: may it start now, and on which release?

In comes the name of an app, out goes an exit code. The fast path takes milliseconds: it compares
facts that the last run wrote, and asks upstream one question. If anything has changed, the gate
decides. May import the rooms from reports/ down.
"""
