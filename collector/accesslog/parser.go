package accesslog

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Format is a format of log lines.
type Format string

// The formats.
const (
	Combined   Format = "combined"
	Common     Format = "common"
	VHost      Format = "vhost" // common or combined, with the virtual host in front
	W3C        Format = "w3c"
	CloudFront Format = "cloudfront"
	ALB        Format = "alb"
	ELB        Format = "elb"
	HAProxy    Format = "haproxy"
	Caddy      Format = "caddy"
	JSON       Format = "json" // one object a line, whose fields Options.Fields names
)

// Formats lists all of them, in the order in which help and errors name them.
func Formats() []Format {
	return []Format{Combined, Common, VHost, W3C, CloudFront, ALB, ELB, HAProxy, Caddy, JSON}
}

// NamesHosts reports whether each line of a format names its host.
func (f Format) NamesHosts() bool {
	return f == VHost || f == ALB || f == ELB || f == Caddy || f == CloudFront
}

// ClientFrom defines which address of a line is the client's.
type ClientFrom string

// Where the client is found.
const (
	// Auto takes the forwarded address if the first one is of a trusted proxy:
	// of Options.Trusted, or, without these, of a private network.
	Auto ClientFrom = "auto"
	// First takes the address of the connection, whatever the line has besides.
	First ClientFrom = "first"
	// Forwarded takes the forwarded address wherever a line has one. With
	// Options.Trusted it is believed of these proxies only.
	Forwarded ClientFrom = "forwarded"
)

// Options report how lines are read.
type Options struct {
	Format     Format
	ClientFrom ClientFrom // empty is Auto
	Trusted    []netip.Prefix
	Fields     map[string]string // of JSON: what a field means, and its name or path
	Zone       *time.Location    // of times that have none; nil is UTC
}

// Line is a parsed line. Its slices alias the line, or what was unescaped.
type Line struct {
	Addr      []byte // of the client, in one spelling; or its host name
	User      []byte // nil for none
	Host      []byte // that the line names; nil for none
	Time      int64  // ms since 1970
	Method    []byte
	Target    []byte // path, or absolute url; bytes that were escaped are %HH
	Status    int
	Referrer  []byte // nil for none
	UserAgent []byte

	from origin
}

// What is wrong with a line as a whole.
var (
	ErrFormat    = errors.New("not a log line")
	ErrNoAddress = errors.New("the address of the client is -")
	ErrAddress   = errors.New("the first field is neither an address nor a host name")
	ErrTwo       = errors.New("two addresses stand before the time: which is the client's is not known")
	ErrNoFields  = errors.New("no #Fields line stands before it")
	// ErrDirective is returned for a comment or a directive, which is not broken.
	ErrDirective = errors.New("comment or directive")
)

// Parser reads the lines of one file. It is not for concurrent use.
type Parser struct {
	o       Options
	columns columns // of W3C extended logs: the last #Fields line
	fields  fieldMap
	seen    seen
}

// seen counts what a report tells besides the lines themselves.
type seen struct {
	forwarded int64 // lines whose client is a forwarded address
	several   int64 // of these, lines with more than one public address
	longer    int64 // lines of the combined format read as common
	zoneless  int64
	prefix    string // what stood in front of the lines
}

// NewParser returns a parser of one file's lines.
func NewParser(o Options) *Parser {
	if o.ClientFrom == "" {
		o.ClientFrom = Auto
	}
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	p := &Parser{o: o}
	if o.Format == Caddy {
		p.fields = caddyFields
	} else if o.Format == JSON {
		p.fields = newFieldMap(o.Fields)
	}
	return p
}

// maxPrefixes bounds how many prefixes are cut off a line: a Docker log of a
// syslog server's output has two.
const maxPrefixes = 4

// Parse reads a line. What syslog, Docker and the like put in front of it is cut
// off, if it is not a line without that.
func (p *Parser) Parse(line []byte, l *Line) error {
	line = trimEnd(line)
	err := p.parse(line, l)
	if err == nil || errors.Is(err, ErrDirective) {
		return err
	}
	for range maxPrefixes {
		rest, kind, ok := cutPrefix(line)
		if !ok {
			break
		}
		line = trimEnd(rest)
		inner := p.parse(line, l)
		if inner == nil || errors.Is(inner, ErrDirective) {
			p.seen.prefix = kind
			return inner
		}
		if inner != ErrFormat { // it tells more than that
			err = inner
		}
	}
	return err
}

func trimEnd(b []byte) []byte {
	for len(b) > 0 && (b[len(b)-1] == '\n' || b[len(b)-1] == '\r') {
		b = b[:len(b)-1]
	}
	return b
}

func (p *Parser) parse(line []byte, l *Line) error {
	*l = Line{}
	var err error
	switch p.o.Format {
	case W3C, CloudFront:
		err = p.w3c(line, l)
	case ALB:
		err = p.alb(line, l)
	case ELB:
		err = p.elb(line, l)
	case HAProxy:
		err = p.haproxy(line, l)
	case Caddy, JSON:
		err = p.json(line, l)
	default:
		err = p.clf(line, l)
	}
	if err != nil {
		return err
	}
	return p.client(l)
}

// Notes reports what a user should know of the lines that were read.
func (p *Parser) Notes() (notes []string) {
	note := func(n int64, format string, args ...any) {
		if n > 0 {
			notes = append(notes, fmt.Sprintf(format, append([]any{n}, args...)...))
		}
	}
	if p.seen.prefix != "" {
		notes = append(notes, "cut off in front of the lines: "+p.seen.prefix)
	}
	note(p.seen.longer, "%d lines have more fields than the common format: they were read as combined")
	note(p.seen.forwarded, "%d lines: the client is the forwarded address, as the first one is a proxy's (--client-from first takes the first one)")
	note(p.seen.several, "%d lines have several public addresses in the forwarded list: the last one counts; name your proxies with --trusted-proxies")
	note(p.seen.zoneless, "%d times have no zone: they were taken as %s (--time-zone)", p.o.Zone)
	return notes
}
