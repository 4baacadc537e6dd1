"""The headline figures, as commands that measure and print them: each side by side with what it is compared with."""
