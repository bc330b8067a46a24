package store_test

import (
	"fmt"
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	if role, ok := roles[os.Getenv("STATEWIRE_TEST_ROLE")]; ok {
		if err := role(os.Getenv("STATEWIRE_TEST_PATH")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}
