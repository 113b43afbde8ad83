"""What is reported to the administrator without a request: messages, alerts, metrics.

In come an App and how its runs ended; out go messages by Apprise and a file for Prometheus.
May import app.py and the rooms below it.
"""
