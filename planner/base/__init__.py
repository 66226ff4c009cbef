"""What everything else stands on: errors, quantities with units, files, names and registries."""
