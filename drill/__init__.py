"""The drill: the scaled profile loses one server after the other while it is used."""
