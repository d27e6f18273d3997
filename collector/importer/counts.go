package importer

// maxExamples of a reason are kept, each cut to maxExample bytes.
const (
	maxExamples = 3
	maxExample  = 200
)

func (im *importer) skip(why string, line []byte)   { count(&im.report.NotPageview, why, line) }
func (im *importer) reject(why string, line []byte) { count(&im.report.Rejected, why, line) }

func count(counts *[]Count, why string, line []byte) {
	for i := range *counts {
		if c := &(*counts)[i]; c.Reason == why {
			c.Lines++
			if len(c.Examples) < maxExamples {
				c.Examples = append(c.Examples, example(line))
			}
			return
		}
	}
	*counts = append(*counts, Count{Reason: why, Lines: 1, Examples: []string{example(line)}})
}

func example(line []byte) string {
	if len(line) > maxExample {
		return string(line[:maxExample]) + "..."
	}
	return string(line)
}
