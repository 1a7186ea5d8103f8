"""What learns: one Encoder protocol, its adapters, the catalog, freezing."""
