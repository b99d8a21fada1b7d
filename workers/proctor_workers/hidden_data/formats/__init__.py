"""One module for each family of formats; the registry knows them by their first bytes."""
