"""The failure of a checkpoint that a user can act on."""


class CheckpointError(ValueError):
    """A checkpoint that cannot be read, or that does not fit; names file and variables, and how to mend it."""
