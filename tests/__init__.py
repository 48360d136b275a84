"""The tests: one file for each law, and of the project itself."""
