"""Tasks: what their records hold, what is drawn from those at read time, how predictions are scored. NumPy only."""
