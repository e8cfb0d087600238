"""Archives: several contents in one ZIP, made while it is sent."""
