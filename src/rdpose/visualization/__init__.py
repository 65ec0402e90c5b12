"""What was found, and what the method does inside, drawn."""
