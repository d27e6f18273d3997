package embedded

import (
	"fmt"
	"os"

	"github.com/twmb/franz-go/pkg/kfake"
	"golang.org/x/sys/unix"
)

// brokerSync makes what the broker wrote durable: one syncfs for all of it.
// Since Linux 5.8 it reports errors of writing back. The options it returns are
// the broker's.
func brokerSync(dir string) (func() error, []kfake.Opt) {
	return func() error {
		d, err := os.Open(dir)
		if err != nil {
			return err
		}
		defer d.Close()
		if err := unix.Syncfs(int(d.Fd())); err != nil {
			return fmt.Errorf("syncing the file system of %s: %w", dir, err)
		}
		return nil
	}, nil
}
