"""What pages are made of: templates, times, charts, tiles, and what is wrong with a form."""
