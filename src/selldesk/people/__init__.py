"""Accounts of people and programs, their roles and keys."""
