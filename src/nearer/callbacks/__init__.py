"""Everything that happens around the loop, one file each."""
