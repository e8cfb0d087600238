"""What surrounds the program: locks, Makefile, image, compose file, settings' documentation."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
