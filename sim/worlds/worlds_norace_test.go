//go:build !race

package worlds

const defaultWorlds = 12000
