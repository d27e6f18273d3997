package worlds

import "slices"

// shrinkRuns bounds how many worlds are run to make a failing one smaller.
const shrinkRuns = 4000

// shrink looks for a shorter list of smaller choices that still fails: it cuts
// ever smaller pieces out, then makes what is left smaller, until nothing helps.
func shrink(list []uint16, fails func([]uint16) bool) []uint16 {
	runs := 0
	try := func(candidate []uint16) bool {
		runs++
		if runs > shrinkRuns || !fails(candidate) {
			return false
		}
		list = candidate
		return true
	}
	for before := -1; before != runs && runs < shrinkRuns; {
		before = runs
		improved := false
		for size := len(list) / 2; size > 0; size /= 2 {
			for at := len(list) - size; at >= 0; at -= size {
				if at+size <= len(list) && try(slices.Delete(slices.Clone(list), at, at+size)) {
					improved = true
				}
			}
		}
		for at := 0; at < len(list); at++ {
			for _, smaller := range []uint16{0, list[at] / 2, list[at] - 1} {
				if at < len(list) && smaller < list[at] {
					candidate := slices.Clone(list)
					candidate[at] = smaller
					if try(candidate) {
						improved = true
						break
					}
				}
			}
		}
		if !improved {
			break
		}
	}
	return list
}
