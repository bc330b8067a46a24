package cli

// owner is nobody here: rights are inherited from the data directory, whoever makes a file.
type owner struct{ name string }

func foreignOwner(string) (*owner, error) { return nil, nil }

func (*owner) become() error { return nil }

// MostOpen is 0: nothing is opened beforehand here.
func MostOpen() int { return 0 }
