package devcluster_test

import (
	"fmt"
	"testing"
)

// fakeTB keeps what a test helper logs when it ends the test.
type fakeTB struct {
	testing.TB
	said string
}

func (f *fakeTB) Helper() {}

func (f *fakeTB) Fatalf(format string, args ...any) {
	f.said = fmt.Sprintf(format, args...)
	panic("fatal")
}
