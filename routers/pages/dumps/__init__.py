"""The pages of dumps, of the bugs that they are of, and of symbols."""
