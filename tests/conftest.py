"""Puts this folder on the import path: the tests share `toy_checkout`."""
