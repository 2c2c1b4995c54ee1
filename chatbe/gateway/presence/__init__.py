"""Presence joined to users and their contacts: who may see whom, and the REST door."""
