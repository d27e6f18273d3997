package query

import "context"

// Answers is what both an Engine and a Client of its HTTP API can answer. Requests
// hold text as users wrote it. It is checked where it is answered, and the clock
// there defines now. Errors of bad requests are *Error.
type Answers interface {
	Pageviews(ctx context.Context, q URLQuery) (*PageviewsAnswer, error)
	Uniques(ctx context.Context, q URLQuery) (*UniquesAnswer, error)
	BounceRate(ctx context.Context, q DomainQuery) (*BounceRateAnswer, error)
	Top(ctx context.Context, q TopQuery) (*TopAnswer, error)
	Domains(ctx context.Context, q DomainsQuery) (*DomainsAnswer, error)
	// Export calls fn with every cell, sorted by view, url and hour. fn may keep the
	// cell. An error after some calls means that the cells so far are not all.
	Export(ctx context.Context, q ExportQuery, fn func(Cell) error) error
	Equivs(ctx context.Context) (*EquivsAnswer, error)
	// AddEquiv and RemoveEquiv return when the edge is durable and takes effect in
	// the answers of the serving process.
	AddEquiv(ctx context.Context, id1, id2 string) (*EquivAnswer, error)
	RemoveEquiv(ctx context.Context, id1, id2 string) (*EquivAnswer, error)
	Status(ctx context.Context) (*StatusAnswer, error)
}

// URLQuery asks about a page or a domain. By is "hour", "day", or "". With "" the
// answer has hours if the range has at most 744.
type URLQuery struct{ URL, From, To, By string }

// DomainQuery asks about a domain.
type DomainQuery struct{ Domain, From, To, By string }

// TopQuery asks for the pages of a domain with the most pageviews. Limit 0 is 10.
type TopQuery struct {
	Domain, From, To string
	Limit            int
}

// DomainsQuery asks for domains by pageviews. From and To may both be empty, which
// means the last 30 days. Limit 0 is 100. Search is a part of the wanted names.
type DomainsQuery struct {
	From, To string
	Limit    int
	Search   string
}

// ExportQuery asks for cells. View is "pageviews", "uniques", "bounces", or "" for
// all of them. An empty From or To leaves that end open.
type ExportQuery struct{ View, From, To string }

// Position is how far a shard is covered: every event below Offset is included.
type Position struct {
	Epoch     uint32 `json:"epoch"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
}

// Covered tells what an answer covers (law 9).
type Covered struct {
	Position []Position `json:"position"`
	Events   int64      `json:"events"` // pageviews counted below the position
	// Lag is how many records the log has beyond the position, as of a moment
	// ago. It is null when the queue did not answer.
	Lag *int64 `json:"lag"`
	// AgeSeconds is the age of the newest log time covered, of the shard that
	// lags most. It is 0 when none lags, and null when Lag is null.
	AgeSeconds *float64 `json:"age_seconds"`
	// Settled reports that no cell held an event above the position.
	Settled bool   `json:"settled"`
	LogTime string `json:"log_time,omitempty"` // highest timestamp of a record covered
}

// Sources counts the hours of the range that hold data, by origin. An hour may have
// data from both. In ranges over 31 days the batch views are read by day, week or 28
// days, and all hours of these count.
type Sources struct {
	BatchHours int     `json:"batch_hours"`
	SpeedHours int     `json:"speed_hours"`
	BatchRun   *uint32 `json:"batch_run,omitempty"`   // the run that the answer builds on
	BatchUntil string  `json:"batch_until,omitempty"` // the run absorbed what was in the log then
}

// Quality is the part of every answer that describes how good it is.
type Quality struct {
	Covered Covered  `json:"covered"`
	Sources Sources  `json:"sources"`
	Notes   []string `json:"notes,omitempty"` // for people
}

// PageviewsAnswer is the number of pageviews of a page or domain.
type PageviewsAnswer struct {
	URL       string `json:"url"`
	From      string `json:"from"`
	To        string `json:"to"`
	Pageviews uint64 `json:"pageviews"`
	Exact     bool   `json:"exact"`
	Quality
	Hours []PageviewsPart `json:"hours,omitzero"`
	Days  []PageviewsPart `json:"days,omitzero"`
}

// PageviewsPart is one hour or day of the answer. Only those with a cell are given.
type PageviewsPart struct {
	Hour      string `json:"hour,omitempty"`
	Day       string `json:"day,omitempty"`
	Pageviews uint64 `json:"pageviews"`
	Source    string `json:"source,omitempty"` // batch, speed or both; empty without a batch run
}

// UniquesAnswer is the number of distinct persons, after applying equiv edges.
type UniquesAnswer struct {
	URL           string  `json:"url"`
	From          string  `json:"from"`
	To            string  `json:"to"`
	Visitors      uint64  `json:"visitors"`
	Exact         bool    `json:"exact"`
	RelativeError float64 `json:"relative_error"` // 95 of 100 estimates are within it
	EquivEdges    int     `json:"equiv_edges"`    // known so far
	Quality
	Hours []UniquesPart `json:"hours,omitzero"`
	Days  []UniquesPart `json:"days,omitzero"`
}

// UniquesPart is one hour or day of the answer. Parts do not add up: a person may
// occur in several.
type UniquesPart struct {
	Hour     string `json:"hour,omitempty"`
	Day      string `json:"day,omitempty"`
	Visitors uint64 `json:"visitors"`
	Exact    bool   `json:"exact"`
	Source   string `json:"source,omitempty"`
}

// BounceRateAnswer is about the visits of a domain that start in the range.
// Rate is null when there are no visits.
type BounceRateAnswer struct {
	Domain  string   `json:"domain"`
	From    string   `json:"from"`
	To      string   `json:"to"`
	Visits  int64    `json:"visits"`
	Bounces int64    `json:"bounces"`
	Rate    *float64 `json:"bounce_rate"`
	Exact   bool     `json:"exact"`
	Quality
	Hours []BouncesPart `json:"hours,omitzero"`
	Days  []BouncesPart `json:"days,omitzero"`
}

// BouncesPart is one hour or day of the answer.
type BouncesPart struct {
	Hour    string   `json:"hour,omitempty"`
	Day     string   `json:"day,omitempty"`
	Visits  int64    `json:"visits"`
	Bounces int64    `json:"bounces"`
	Rate    *float64 `json:"bounce_rate"`
	Source  string   `json:"source,omitempty"`
}

// TopAnswer is the pages of a domain, most pageviews first, then by url.
type TopAnswer struct {
	Domain     string    `json:"domain"`
	From       string    `json:"from"`
	To         string    `json:"to"`
	Pages      []TopPage `json:"pages"`
	TotalPages int       `json:"total_pages"` // pages with pageviews in the range
	Pageviews  uint64    `json:"pageviews"`   // of all these pages
	Quality
}

// TopPage is one page of a TopAnswer.
type TopPage struct {
	URL           string  `json:"url"`
	Pageviews     uint64  `json:"pageviews"`
	Visitors      uint64  `json:"visitors"`
	Exact         bool    `json:"exact"` // whether visitors is exact
	RelativeError float64 `json:"relative_error"`
}

// DomainsAnswer is the domains of a range, most pageviews first, then by name.
type DomainsAnswer struct {
	From    string        `json:"from"`
	To      string        `json:"to"`
	Domains []DomainCount `json:"domains"`
	Total   int           `json:"total_domains"` // domains with the searched text in their names
	// Truncated reports that there are more domains than are counted; see Notes.
	Truncated bool `json:"truncated"`
	Quality
}

// DomainCount is one domain of a DomainsAnswer.
type DomainCount struct {
	Domain    string `json:"domain"`
	Pageviews uint64 `json:"pageviews"`
}

// Cell is one line of an export: a cell merged over shards and generations.
// The view decides which of the pointers are set.
type Cell struct {
	View      string  `json:"view"`
	URL       string  `json:"url"`
	Hour      string  `json:"hour"`
	Pageviews *uint64 `json:"pageviews,omitempty"`
	Visitors  *uint64 `json:"visitors,omitempty"`
	Exact     *bool   `json:"exact,omitempty"`
	Visits    *int64  `json:"visits,omitempty"`
	Bounces   *int64  `json:"bounces,omitempty"`
}

// EquivsAnswer is the edges that hold now, sorted.
type EquivsAnswer struct {
	Equivs []Equiv `json:"equivs"`
}

// Equiv is an edge that holds: two identifiers, the smaller first, belong to one
// person. Time is when the edge was last added.
type Equiv struct {
	ID1  string `json:"id1"`
	ID2  string `json:"id2"`
	Time string `json:"ts"`
}

// EquivAnswer acknowledges an edge.
type EquivAnswer struct {
	ID1     string `json:"id1"`
	ID2     string `json:"id2"`
	Time    string `json:"ts"`
	Retract bool   `json:"retract"`
	Edges   int    `json:"edges"` // edges that hold now
}
