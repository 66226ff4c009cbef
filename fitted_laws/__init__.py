"""Data package: published measured runs and the laws fitted to them. See README.md beside this file."""
