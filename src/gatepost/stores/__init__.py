"""Floor 2: where records lie. One engine a file, all proven by the same shipped suite."""
