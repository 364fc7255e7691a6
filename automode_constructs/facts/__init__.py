"""Dated data: what is true of AWS on a day, with its source. Refreshing a fact changes only a file in here."""
