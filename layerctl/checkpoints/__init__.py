"""Checkpoints as files: which are here, whether they are whole, and how they come here."""
