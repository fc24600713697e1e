"""Floor 1: what a service needs that only checks. Imports no store, service or web framework."""
