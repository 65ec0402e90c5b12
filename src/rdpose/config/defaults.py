"""Defaults that commands and Python share and no settings file says."""

MIN_SCORE = 0.3
"""Score from which a box counts as a person where the user names no other, in `rdpose predict` and `rdpose.load`.
It is chosen for the poses: boxes below it add more wrong poses than people."""
