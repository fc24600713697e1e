"""Floor 2: the ways to prove who somebody is, one factor a file."""
