package generate

import "math/bits"

// Generator makes one stream. Not for concurrent use.
type Generator struct {
	c      Config
	r      random
	sites  *sites
	start  int64 // ms
	spanMS uint64
	jitter uint64 // ms, plus one
	key    uint64 // makes nonces differ from those of other seeds

	duplicates, late, edges uint64 // chances

	visits []visit // those under way; the first ones are of bots
	made   int64   // pageviews so far
	edge   bool    // an edge comes before the next pageview
	linked uint32
	pairs  int64 // edges so far

	recent [recentSize]sent // what a duplicate may repeat
}

// recentSize is how many pageviews back a duplicate may reach.
const recentSize = 1 << 14

// visit is one person's stay on one domain.
type visit struct {
	person  uint32
	domain  int32
	page    int32
	left    int32 // views to come
	started bool
	bot     bool
	agent   string
	from    string // referrer of its first view
}

// sent is a pageview as it went out.
type sent struct {
	number  uint64 // what its nonce is made of
	person  uint32
	domain  int32
	ts      int64
	spelled spelling
	agent   string
	from    string
	bot     bool
}

// New prepares a stream. It takes about a second for ten million pages.
func New(c Config) (*Generator, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	g := &Generator{
		c: c, r: random{mix(c.Seed + 1)}, key: mix(^c.Seed), start: c.Start.UnixMilli(), spanMS: uint64(c.Span.Milliseconds()),
		jitter:     uint64(c.Jitter.Milliseconds()) + 1,
		duplicates: chance(c.Duplicates), late: chance(c.Late), edges: chance(c.Edges),
	}
	g.sites = newSites(&c, &g.r)
	g.visits = make([]visit, visitsUnderWay(&c))
	bots := int(chance(c.Bots) * uint64(len(g.visits)) >> 32)
	for i := range g.visits[:bots] {
		g.visits[i].bot = true
	}
	return g, nil
}

// visitsUnderWay is how many visits go on at a time, such that two views of one
// are 40 seconds apart on average: each view is of a random one.
func visitsUnderWay(c *Config) int64 {
	const pauseMS, least, most = 40_000, 20, 1 << 16
	hi, lo := bits.Mul64(uint64(c.Events), pauseMS)
	n, _ := bits.Div64(hi, lo, uint64(c.Span.Milliseconds()))
	return int64(max(least, min(n, most)))
}

// Next makes the next event; false when there are no more. What e holds is
// valid until the next call.
func (g *Generator) Next(e *Event) bool {
	if g.made >= g.c.Events {
		return false
	}
	if g.edge {
		g.edge = false
		g.nextEdge(e)
		return true
	}
	arrival := g.arrival()
	if g.made > 0 && g.r.happens(g.duplicates) {
		g.repeat(e, arrival)
	} else {
		g.view(e, arrival)
	}
	g.made++
	g.edge = g.r.happens(g.edges)
	return true
}

// arrival spreads the events evenly over the span.
func (g *Generator) arrival() int64 {
	if g.c.Events == 1 {
		return g.start
	}
	hi, lo := bits.Mul64(uint64(g.made), g.spanMS)
	ms, _ := bits.Div64(hi, lo, uint64(g.c.Events-1))
	return g.start + int64(ms)
}

// view makes a new pageview, of a random visit.
func (g *Generator) view(e *Event, arrival int64) {
	v := &g.visits[g.r.below(uint64(len(g.visits)))]
	if v.left == 0 {
		g.begin(v)
	}
	s := sent{number: uint64(g.made), person: v.person, domain: v.domain, agent: v.agent, bot: v.bot}
	switch {
	case !v.started:
		v.started = true
		s.from = v.from
	case g.r.next()&3 == 0: // the tracker does not always know
	default:
		s.from = sameSite
	}
	s.spelled = g.spell(v.page)
	s.ts, e.Late = g.time(arrival)
	v.left--
	v.page = g.sites.next(v.domain, &g.r)
	g.linked = v.person
	g.recent[g.made%recentSize] = s
	e.Duplicate = false
	g.fill(e, &s, arrival)
}

// begin has another person come to a page.
func (g *Generator) begin(v *visit) {
	random := g.r.next()
	*v = visit{bot: v.bot, page: g.sites.all.draw(&g.r)}
	v.domain = g.sites.pages[v.page].domain
	v.from = referrers[random>>8%uint64(len(referrers))]
	if v.bot {
		v.person = uint32(g.r.below(uint64(min(g.c.Persons, 512))))
		v.agent = robots[v.person%uint32(len(robots))]
		v.left = 20 + int32(random>>32&255)
		return
	}
	// The lower of two: persons with low numbers come more often.
	n := uint64(g.c.Persons)
	v.person = uint32(min(g.r.below(n), g.r.below(n)))
	v.agent = browsers[mix(uint64(v.person))%uint64(len(browsers))]
	v.left = 1
	if random&255 < 148 { // not a bounce: two views, and three in four times one more
		for v.left = 2; v.left < 40 && g.r.next()&3 != 0; v.left++ {
		}
	}
}

// time is when a pageview that arrives now was.
func (g *Generator) time(arrival int64) (ts int64, late bool) {
	if g.r.happens(g.late) {
		// A minute, two, four, ... or 128, and up to as much again and 15 s.
		ms := uint64(60_000) << (g.r.next() & 7)
		return max(0, arrival-int64(ms+g.r.below(ms+15_000))), true
	}
	return arrival - int64(g.r.below(g.jitter)), false
}

// repeat sends a recent pageview again. Three in four times it is the same to
// the byte; else only nonce and person are.
func (g *Generator) repeat(e *Event, arrival int64) {
	s := g.recent[g.r.below(uint64(min(g.made, recentSize)))]
	if g.r.next()&3 == 0 {
		s.spelled = g.spell(g.sites.all.draw(&g.r))
		s.ts, _ = g.time(arrival)
	}
	e.Duplicate, e.Late = true, false
	g.recent[g.made%recentSize] = s
	g.fill(e, &s, arrival)
}

// nextEdge links the person of the last view to its user name, or takes an edge
// back, every 16th time.
func (g *Generator) nextEdge(e *Event) {
	g.pairs++
	id := g.linked
	if isUser(id) {
		id -= 1 + uint32(g.r.below(3))
	}
	e.Kind, e.Arrival, e.Retract = Edge, g.arrival(), g.pairs%16 == 0
	e.TS = e.Arrival
	e.person = appendPerson(e.person[:0], id)
	e.other = appendPerson(e.other[:0], userOf(id))
	e.Person, e.Other = e.person, e.other
	e.Nonce, e.URL, e.Referrer, e.UserAgent = nil, nil, nil, nil
	e.TextTS, e.Duplicate, e.Late, e.Bot = false, false, false, false
}
