"""What a transformed graph would hide, found and named: switches, dropout, randomness, state, sources of data."""
