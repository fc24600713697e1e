"""Floor 3: use cases. Each loads, decides and commits; plain blocking functions, called from every world."""
