package main

// owner is nobody here: rights are inherited from the data directory, whoever makes a file.
type owner struct{ name string }

func foreignOwner(string) (*owner, error) { return nil, nil }

func (*owner) become() error { return nil }

func mostOpen() int { return 0 }
