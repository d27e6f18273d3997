//go:build !unix

package descriptors

// limit is a guess where the system has no limit that can be asked for.
func limit() uint64 { return 16 << 10 }
