package worlds

import "math/rand/v2"

// choices is the list of small numbers that a world is a function of. A world
// draws them at random and keeps them, or is given them; then what lies behind
// the end of the list is 0, which stands for the plainest thing everywhere.
type choices struct {
	list   []uint16
	at     int
	random *rand.Rand // nil: the list is given
}

func randomChoices(seed uint64) *choices {
	return &choices{random: rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15)), list: make([]uint16, 0, 1024)}
}

// below draws a number from 0 to n-1.
func (c *choices) below(n int) int {
	if c.random != nil {
		v := c.random.IntN(n)
		c.list = append(c.list, uint16(v))
		return v
	}
	if c.at >= len(c.list) {
		return 0
	}
	c.at++
	return int(c.list[c.at-1]) % n
}

// more says whether a given list goes on; a random one always does.
func (c *choices) more() bool { return c.random != nil || c.at < len(c.list) }
