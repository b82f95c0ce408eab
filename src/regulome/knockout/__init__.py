"""Knockouts in all four parts: the one package that sees every part."""
