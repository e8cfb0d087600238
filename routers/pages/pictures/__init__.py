"""The pages of pictures and albums."""
