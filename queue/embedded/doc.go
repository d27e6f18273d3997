// Package embedded is the broker in the process: franz-go's kfake behind a real
// port, with a data directory. The port is a guard in front of kfake: it checks
// requests, gives records the broker's time, and answers a produce request only
// when what was appended is on disk.
//
// What it acknowledged survives a killed process, and lost power where one call
// syncs a whole file system (Linux).
package embedded
