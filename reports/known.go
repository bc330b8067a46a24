package reports

import (
	"context"

	"statewire/internal/tabular"
)

// KnownKinds are the parameters whose values a site has a list of.
var KnownKinds = []string{"collection", "group", "subject"}

// Known are the names of a kind that begin with a text, for a shell to complete; a tab and a title may follow a name.
func (r *Runner) Known(ctx context.Context, kind, begun string) ([]string, error) {
	q := question{runner: r}
	found, err := q.ask(ctx, "known-"+kind, map[string]string{"begun": begun})
	if err != nil {
		return nil, err
	}
	out := make([]string, len(found))
	for i, f := range found {
		out[i] = f.Text("name")
		if title := f.Text("title"); title != "" {
			out[i] += "\t" + tabular.Shorten(title, 60)
		}
	}
	return out, nil
}
