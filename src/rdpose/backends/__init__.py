"""Exported networks, which stand wherever a network stands."""
