package worlds

import "slices"

// shrinkRuns bounds how many worlds are run to make a failing one smaller.
const shrinkRuns = 5000

// shrink looks for a shorter script of smaller numbers that still fails: it cuts
// steps out, ever fewer at once, then makes the numbers of what is left smaller,
// until nothing helps.
func shrink(s script, fails func(script) bool) script {
	sh := shrinker{best: s, fails: fails}
	for improved := true; improved && sh.runs < shrinkRuns; {
		before := sh.wins
		sh.cutSteps()
		sh.cutNumbers()
		improved = sh.wins > before
	}
	return sh.best
}

type shrinker struct {
	best       script
	fails      func(script) bool
	runs, wins int
}

func (sh *shrinker) try(s script) bool {
	sh.runs++
	if sh.runs > shrinkRuns || !sh.fails(s) {
		return false
	}
	sh.best = s
	sh.wins++
	return true
}

func (sh *shrinker) cutSteps() {
	for size := len(sh.best); size > 0; size /= 2 {
		for at := len(sh.best) - size; at >= groupSteps; at -= size {
			if at+size <= len(sh.best) {
				sh.try(slices.Delete(slices.Clone(sh.best), at, at+size))
			}
		}
	}
}

func (sh *shrinker) cutNumbers() {
	for g := range sh.best {
		for len(sh.best[g]) > 0 && sh.try(sh.with(g, sh.best[g][:len(sh.best[g])-1])) {
		}
		for i := range sh.best[g] {
			for _, smaller := range []uint16{0, sh.best[g][i] / 2, sh.best[g][i] - 1} {
				if smaller < sh.best[g][i] {
					group := slices.Clone(sh.best[g])
					group[i] = smaller
					if sh.try(sh.with(g, group)) {
						break
					}
				}
			}
		}
	}
}

// with is the best script with another group g.
func (sh *shrinker) with(g int, group []uint16) script {
	s := slices.Clone(sh.best)
	s[g] = group
	return s
}
