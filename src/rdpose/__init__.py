"""rdpose: top-down human pose estimation for crowded pictures."""
