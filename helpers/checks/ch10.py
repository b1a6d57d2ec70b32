"""Checks of the exercises in chapter 10."""
