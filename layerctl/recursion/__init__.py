"""One layer becomes a group of layers that gives it back."""
