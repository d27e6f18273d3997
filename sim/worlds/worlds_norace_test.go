//go:build !race

package worlds

const defaultWorlds = 20000
