"""Inputs to shards, shards to documents, and outputs that are whole or not there."""
