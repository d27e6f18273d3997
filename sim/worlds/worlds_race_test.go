//go:build race

package worlds

// Worlds run one thing at a time, so the race detector has little to find here.
const defaultWorlds = 2000
