package generate

import "strconv"

// sites are all domains with their pages.
type sites struct {
	pages   []page
	all     alias     // over pages
	domains [][]int32 // pages of each domain, the most viewed first
	within  []alias   // of each domain, over its pages
}

type page struct {
	url    string // without scheme: what every spelling of it begins with
	domain int32
	plain  bool // a slash or a query may follow
}

var (
	adjectives = [...]string{"blue", "calm", "dark", "deep", "fair", "fast", "fine", "gold", "gray", "keen", "kind", "late",
		"long", "loud", "mild", "neat", "nice", "open", "pale", "pink", "pure", "rare", "rich", "safe", "slow", "soft", "tall",
		"tiny", "true", "warm", "wide", "wild"}
	nouns = [...]string{"bear", "bird", "boat", "book", "cake", "cave", "city", "coal", "deer", "dune", "farm", "fish",
		"frog", "gate", "hawk", "hill", "lake", "lamp", "leaf", "moon", "moss", "park", "pine", "pond", "rain", "road", "rock",
		"rose", "seal", "ship", "star", "wolf"}
	sections = [...]string{"blog", "docs", "news", "shop", "wiki", "help"}
	topLevel = [...]string{"com", "org", "net", "dev"}
)

func newSites(c *Config, r *random) *sites {
	s := &sites{domains: make([][]int32, c.Domains), pages: make([]page, c.URLs), within: make([]alias, c.Domains)}
	sizes := make([]uint64, c.Domains)
	for d := range sizes {
		sizes[d] = zipf(d)
	}
	bySize := newAlias(sizes)
	weights := make([]uint64, c.URLs)
	for p := range s.pages {
		weights[p] = zipf(p)
		d := int32(p) // each domain has a page at least: its root
		if p >= c.Domains {
			d = bySize.draw(r)
		}
		s.pages[p] = newPage(p, d, len(s.domains[d]) == 0)
		s.domains[d] = append(s.domains[d], int32(p))
	}
	s.all = newAlias(weights)
	for d, pages := range s.domains {
		w := make([]uint64, len(pages))
		for i, p := range pages {
			w[i] = weights[p]
		}
		s.within[d] = newAlias(w)
	}
	return s
}

// newPage names the p-th page, which lies on the d-th domain.
func newPage(p int, d int32, root bool) page {
	b := appendDomain(nil, int(d))
	if root {
		return page{string(append(b, '/')), d, false}
	}
	b = append(b, '/')
	b = append(b, sections[p%len(sections)]...)
	b = append(b, '/')
	b = append(b, nouns[p/7%len(nouns)]...)
	b = append(b, '-')
	b = strconv.AppendInt(b, int64(p), 36)
	return page{string(b), d, true}
}

func appendDomain(b []byte, d int) []byte {
	b = append(b, adjectives[d%len(adjectives)]...)
	b = append(b, nouns[d/len(adjectives)%len(nouns)]...)
	if n := d / (len(adjectives) * len(nouns)); n > 0 {
		b = strconv.AppendInt(b, int64(n), 10)
	}
	b = append(b, '.')
	return append(b, topLevel[d%len(topLevel)]...)
}

// next draws another page of a domain, as often as all draws would.
func (s *sites) next(domain int32, r *random) int32 {
	return s.domains[domain][s.within[domain].draw(r)]
}
