"""Finished jobs as pages that a person reads: one self-contained HTML file each."""
