"""The host: one thing of it a module, such as services, processes, links, logs, probes.

In come plain values, out go plain values or a clear error. Effects that a test has to replace are
behind protocols. May import config/ and model/.
"""
