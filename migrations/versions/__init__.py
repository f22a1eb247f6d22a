"""One file per step; each is frozen once released."""
