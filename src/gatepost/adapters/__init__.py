"""Floor 5: Gatepost inside other people's applications."""
