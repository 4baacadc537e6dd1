"""Where tasks run: thin launchers of the same two task bodies."""
