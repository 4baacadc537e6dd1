"""The commands of `hanmill`, one a file: arguments in, calls out."""
