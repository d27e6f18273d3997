package hbase

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"speedlayer/store"
	"speedlayer/store/hbase/client"
)

// Options tell where HBase is and how it is used. Quorum is required; zero
// values mean defaults.
type Options struct {
	Quorum []string // addresses of ZooKeeper, HOST:PORT; the default port is 2181
	ZNode  string   // HBase's path in ZooKeeper; "" is /hbase
	Prefix string   // prefix of the names of the tables, [NAMESPACE:]NAME; "" is speedlayer
	User   string   // the user name sent to HBase; "" is root. There is no password: it is HBase's simple authentication

	Regions     int    // of a new table of cells: 1, 2, 4, 8 or 16; 0 is 4
	Compression string // of a new table: none, gz, snappy, lz4, zstd; "" is none. The region servers must have it
	Durability  string // of new tables: fsync or hflush; "" is fsync

	// Views are those that new tables have families for; nil is 1 to 3. A new view
	// begins with a new generation.
	Views []store.ViewID

	// CallTime bounds one request; 0 is 3 s. It must be well below the session time
	// of the region servers in ZooKeeper (10 s and more): on some file systems, a
	// server that was paused for longer acknowledges writes that are already lost.
	CallTime time.Duration
	// Parallel bounds the number of concurrent requests; 0 is 16.
	Parallel int
	Logger   *slog.Logger // nil: no messages

	pageRows uint32 // of a scan; tests make it small; 0 is 10,000
}

// client returns the options of the connection.
func (o *Options) client() client.Options {
	return client.Options{Quorum: o.Quorum, ZNode: o.ZNode, User: o.User, CallTime: o.CallTime,
		Parallel: o.Parallel, PageRows: orDefault(o.pageRows, 10_000), Logger: o.Logger}
}

// prefixes is what HBase accepts as the name of a table, with room for our suffix.
var prefixes = regexp.MustCompile(`^([a-zA-Z0-9_]+:)?[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,99}$`)

// ParseURL parses a URL of the form hbase://ZK1:2181,ZK2:2181/ZNODE?prefix=speedlayer.
// The parameters are prefix, user, regions, compression and durability.
func ParseURL(text string) (Options, error) {
	bad := func(format string, args ...any) (Options, error) {
		return Options{}, fmt.Errorf("%q: %s; the form is hbase://ZK1:2181,ZK2:2181/hbase?prefix=speedlayer", text, fmt.Sprintf(format, args...))
	}
	rest, ok := strings.CutPrefix(text, "hbase://")
	if !ok {
		return bad("it does not begin with hbase://")
	}
	rest, query, _ := strings.Cut(rest, "?")
	hosts, path, _ := strings.Cut(rest, "/")
	o := Options{ZNode: "/" + path}
	if path == "" {
		o.ZNode = ""
	}
	for h := range strings.SplitSeq(hosts, ",") {
		o.Quorum = append(o.Quorum, h)
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return bad("%v", err)
	}
	for name, v := range values {
		if len(v) != 1 {
			return bad("%s is there %d times", name, len(v))
		}
		switch name {
		case "prefix":
			o.Prefix = v[0]
		case "user":
			o.User = v[0]
		case "compression":
			o.Compression = v[0]
		case "durability":
			o.Durability = v[0]
		case "regions":
			if o.Regions, err = strconv.Atoi(v[0]); err != nil {
				return bad("regions is %q, no number", v[0])
			}
		default:
			return bad("%s is not known; allowed are prefix, user, regions, compression, durability", name)
		}
	}
	if o, err = o.withDefaults(); err != nil {
		return bad("%v", err)
	}
	return o, nil
}

// withDefaults fills in unset options and checks the others.
func (o Options) withDefaults() (Options, error) {
	quorum, err := addresses(o.Quorum)
	if err != nil {
		return o, err
	}
	o.Quorum = quorum
	o.ZNode = strings.TrimRight(o.ZNode, "/")
	if o.ZNode == "" {
		o.ZNode = "/hbase"
	}
	o.Prefix = orDefault(o.Prefix, "speedlayer")
	o.User = orDefault(o.User, "root")
	o.Compression = orDefault(strings.ToLower(o.Compression), "none")
	o.Durability = orDefault(o.Durability, "fsync")
	o.Regions = orDefault(o.Regions, 4)
	o.CallTime = orDefault(o.CallTime, 3*time.Second)
	o.Parallel = orDefault(o.Parallel, 16)
	if o.Views == nil {
		o.Views = []store.ViewID{1, 2, 3}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	switch {
	case !strings.HasPrefix(o.ZNode, "/") || strings.Contains(o.ZNode, "//"):
		return o, fmt.Errorf("path %q in ZooKeeper: it begins with one slash", o.ZNode)
	case !prefixes.MatchString(o.Prefix):
		return o, fmt.Errorf("prefix %q: allowed are letters, digits, and _ . - after the first, with a namespace and a colon before them if you like", o.Prefix)
	case !slices.Contains([]int{1, 2, 4, 8, 16}, o.Regions):
		return o, fmt.Errorf("regions is %d: allowed are 1, 2, 4, 8, 16", o.Regions)
	case !slices.Contains([]string{"none", "gz", "snappy", "lz4", "zstd"}, o.Compression):
		return o, fmt.Errorf("compression %q: allowed are none, gz, snappy, lz4, zstd", o.Compression)
	case o.Durability != "fsync" && o.Durability != "hflush":
		return o, fmt.Errorf("durability %q: allowed are fsync and hflush", o.Durability)
	case o.CallTime < 0 || o.Parallel < 0:
		return o, errors.New("CallTime and Parallel are not negative")
	}
	return o, nil
}

func orDefault[T comparable](v, d T) T {
	var zero T
	if v == zero {
		return d
	}
	return v
}

// addresses checks the addresses of ZooKeeper and adds missing ports.
func addresses(hosts []string) (all []string, err error) {
	for _, h := range hosts {
		host, port, err := net.SplitHostPort(h)
		if err != nil {
			host, port, err = net.SplitHostPort(h + ":2181")
		}
		if err != nil || host == "" {
			return nil, fmt.Errorf("address %q of ZooKeeper: want HOST:PORT", h)
		}
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return nil, fmt.Errorf("address %q of ZooKeeper: port %q is not from 1 to 65535", h, port)
		}
		all = append(all, net.JoinHostPort(host, port))
	}
	if len(all) == 0 {
		return nil, errors.New("no address of ZooKeeper")
	}
	return all, nil
}
