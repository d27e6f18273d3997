package worlds

import "math/rand/v2"

// script is what a world is a function of: small numbers, in groups. The first
// group is for how the world is made, the second for how it ends, and one for
// each step between.
type script [][]uint16

const (
	groupMade = iota
	groupEnd
	groupSteps
)

// choices hands a script out number by number, or writes one at random. What
// lies after the end of a group is 0, which stands for the plainest thing
// everywhere; so steps can be cut out of a script, and the others stay as they
// were.
type choices struct {
	script script
	group  int
	at     int
	random *rand.Rand // nil: the script is given
}

func randomChoices(seed uint64) *choices {
	return &choices{script: make(script, groupSteps, groupSteps+stepsPerWorld), random: rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15))}
}

// below draws a number from 0 to n-1.
func (c *choices) below(n int) int {
	if c.random != nil {
		v := c.random.IntN(n)
		c.script[c.group] = append(c.script[c.group], uint16(v))
		return v
	}
	if c.group >= len(c.script) || c.at >= len(c.script[c.group]) {
		return 0
	}
	c.at++
	return int(c.script[c.group][c.at-1]) % n
}

// begin goes to a group's beginning; it reports false if a given script has no
// such step.
func (c *choices) begin(group int) bool {
	c.group, c.at = group, 0
	if c.random != nil && group == len(c.script) {
		c.script = append(c.script, nil)
	}
	return group < len(c.script)
}
