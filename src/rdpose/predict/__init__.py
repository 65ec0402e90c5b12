"""What `rdpose predict` does: sources, the boxes of their people, poses, files."""
