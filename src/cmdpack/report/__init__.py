"""Plans, events and results turned into something a person reads."""
