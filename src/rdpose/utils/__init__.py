"""What every command shares: processes, progress, memory."""
