"""Pictures and people: annotation files, reading, augmentation, loading, and a renderer of crowds."""
