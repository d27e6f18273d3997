//go:build unix

package descriptors

import "golang.org/x/sys/unix"

// limit is RLIMIT_NOFILE. The runtime has raised it to the hard limit.
func limit() uint64 {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return 1024
	}
	return uint64(r.Cur)
}
