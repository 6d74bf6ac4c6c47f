"""The units that a selection needs, by definition and use of names: selection -> slice. Pure."""
