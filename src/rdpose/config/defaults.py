"""Defaults that commands and Python share and no settings file says."""

MIN_SCORE = 0.45
"""Score from which a box counts as a person where the user names no other, in `rdpose predict` and `rdpose.load`.
It is chosen for the poses: on pictures set aside from training and on rendered crowds, .45 gives the best F1 of people
found (OKS above .5), .77 on both; .3 finds 83 and 77 of 100 people, .45 78 and 69, with half of the wrong poses."""
