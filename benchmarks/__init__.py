"""Measures the server beside a plain Django Channels chat: see README.md."""
