"""Packs, turned into what assistants load: one module a target, and the writing that all share."""
