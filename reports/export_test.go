package reports

import "slices"

// Ranked are the columns that never leave, and those that the header names and the answer lacks.
func Ranked(r *Rows) (stay, unknown []string) {
	for _, k := range r.Report.ranks {
		if k.stays {
			stay = append(stay, k.column)
		}
		if !slices.ContainsFunc(r.Columns, func(c Column) bool { return c.Name == k.column }) {
			unknown = append(unknown, k.column)
		}
	}
	return stay, unknown
}

// KeepFrom sets how many clients a site has whose counts are taken as they are kept, until the function it returns is called.
func KeepFrom(clients int) (back func()) {
	before := keptFrom
	keptFrom = clients
	return func() { keptFrom = before }
}

// PartOfNow is a part as a question without a moment has it.
func PartOfNow(name string) (string, error) {
	text, err := Part(name)
	return choose(text, nil), err
}
