"""Weights files: ours, and other projects' read and converted."""
