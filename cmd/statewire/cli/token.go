package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"statewire/trust"
)

// maxTokenBytes bounds a file with an enrolment token.
const maxTokenBytes = 4 << 10

// ReadToken reads the enrolment token in the file that a flag names; - is standard input.
func (g *Globals) ReadToken(cmd *cobra.Command, flag, file string) (token trust.Token, err error) {
	var text []byte
	if file == "-" {
		text, err = io.ReadAll(io.LimitReader(cmd.InOrStdin(), maxTokenBytes+1))
	} else {
		text, err = g.ReadFile(file)
	}
	if err == nil {
		token, err = ParseToken(text)
	}
	if err != nil {
		return token, Usage(fmt.Errorf("--%s: %w", flag, err))
	}
	return token, nil
}

// ParseToken reads the text of a file with an enrolment token.
func ParseToken(text []byte) (trust.Token, error) {
	if len(text) > maxTokenBytes {
		return trust.Token{}, fmt.Errorf("more than %d bytes: it is no enrolment token", maxTokenBytes)
	}
	return trust.ParseToken(string(text))
}
