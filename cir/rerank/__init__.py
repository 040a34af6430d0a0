"""Second stages: the first hits of a search, ordered anew by what reads them more closely."""
