"""The settings: what each key means, its default, how its value is checked, and which files count.

In come TOML files, out go Settings or a ConfigurationError with file, key and advice. May import
model/.
"""
