"""Settings: their groups and defaults, and how they are read."""
