"""A seeded world of coins, sheets, cards and cuts that drives the real flow, journal and ledger through its faults."""
