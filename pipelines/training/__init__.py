"""A training run: its options, model, optimizer, state, what it logs and leaves in its folder."""
