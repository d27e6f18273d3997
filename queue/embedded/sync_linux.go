package embedded

import (
	"errors"
	"fmt"
	"os"

	"github.com/twmb/franz-go/pkg/kfake"
	"golang.org/x/sys/unix"
)

// directorySync makes what the broker wrote durable: one syncfs for all of it.
type directorySync struct{ dir *os.File }

// openSync opens the directory once, for two reasons. A sync needs no descriptor
// then, so it does not fail where none is left. And since Linux 5.8 an error of
// writing back is reported once to each descriptor that was open when it
// happened: one opened later would miss it.
func openSync(dir string) (*directorySync, []kfake.Opt, error) {
	d, err := os.Open(dir)
	return &directorySync{d}, nil, err
}

func (s *directorySync) sync() error {
	err := unix.Syncfs(int(s.dir.Fd()))
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EINTR), errors.Is(err, unix.EAGAIN), errors.Is(err, unix.ENOMEM), errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE):
		return fmt.Errorf("syncing the file system of %s: %w: %w", s.dir.Name(), errNotBegun, err)
	}
	return fmt.Errorf("syncing the file system of %s: %w", s.dir.Name(), err)
}

func (s *directorySync) close() error { return s.dir.Close() }
