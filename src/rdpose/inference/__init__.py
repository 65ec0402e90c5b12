"""Crops to joints: the network's use, poses of pictures, who is who from frame to frame."""
