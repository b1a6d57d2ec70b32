"""The runs that are too long for a chapter: `make records` runs each and writes its record."""
