"""Floor 1: strings out of sessions and back. Pure, given keys and now."""
