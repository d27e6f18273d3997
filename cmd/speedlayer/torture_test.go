package main

import (
	"bytes"
	"flag"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

var (
	tortureKills = flag.Int("torture.kills", 30, "kills of TestTorture")
	tortureSeed  = flag.Uint64("torture.seed", 0, "seed of TestTorture; 0 is a random one")
)

// What was acknowledged is counted exactly once, however often the program is
// killed.
func TestTorture(t *testing.T) {
	f := tortureFlags{kills: *tortureKills, seed: *tortureSeed, rate: 1500}
	if f.seed == 0 {
		f.seed = rand.Uint64()
	}
	t.Logf("seed %d: go test ./cmd/speedlayer -run TestTorture -torture.seed %d", f.seed, f.seed)
	dir := t.TempDir()
	r, err := tortureProgram(t.Context(), streams{out: t.Output(), err: t.Output()}, f, os.Args[0], programEnv, dir)
	if err == nil && r.OK() && r.Kills == f.kills && r.Comparison.Cells > 100 {
		return
	}
	said, _ := os.ReadFile(dir + "/" + tortureLog)
	if n := len(said); n > 8<<10 {
		said = said[n-8<<10:]
	}
	t.Errorf("error %v; the processes said last:\n%s", err, said)
}

func TestTortureUsage(t *testing.T) {
	for _, args := range [][]string{
		{"--kills", "0"}, {"--rate", "0"}, {"--data", t.TempDir()}, {"--kills", "x"}, {"more"},
	} {
		var out, errs bytes.Buffer
		if status := Run(t.Context(), append([]string{"torture"}, args...), strings.NewReader(""), &out, &errs); status != exitUsage || out.Len() > 0 {
			t.Errorf("torture %v: status %d, %s", args, status, errs.String())
		}
	}
}
