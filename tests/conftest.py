"""Lets every test import the references as ``reference.name``, by standing in this folder."""
