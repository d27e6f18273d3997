package cassandra

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// Options tell where Cassandra is and how it is used. Hosts and Keyspace are
// required; zero values mean defaults.
type Options struct {
	Hosts    []string // some nodes, HOST:PORT; the others are found through them; the default port is 9042
	Keyspace string   // made if it does not exist

	User, Password string
	TLS            *tls.Config // nil: no encryption

	// DC is the data centre whose nodes are asked; "" is that of the node that answers first.
	DC string
	// Consistency of reads and writes: LocalQuorum, Quorum, EachQuorum or All; 0 is LocalQuorum.
	Consistency gocql.Consistency
	// Replication is the number of replicas in DC of a keyspace that is made; 0 is 3,
	// or the number of nodes there if that is lower.
	Replication int
	// Buckets are the partitions of a day in a keyspace that is made: 1 to 256; 0 is 16.
	Buckets int

	// CallTime bounds one request; 0 is 5 s. It should be above the timeouts of the
	// servers, which are 2 s for writes.
	CallTime time.Duration
	// Parallel bounds the number of concurrent requests; 0 is 32.
	Parallel int
	Logger   *slog.Logger // nil: no messages

	pageRows int           // of a scan; tests make it small; 0 is 5,000
	openTime time.Duration // of the checks at start; tests on busy machines make it long; 0 is 15 s
	dialer   gocql.Dialer  // tests lose answers on the way; nil is the driver's own
}

// PasswordEnv is the variable of the environment that holds the password if no file does.
const PasswordEnv = "SPEEDLAYER_CASSANDRA_PASSWORD"

// form is what a URL looks like, for errors.
const form = "cassandra://HOST1:9042,HOST2:9042/KEYSPACE?dc=datacenter1"

// parameters are what may follow the question mark.
const parameters = "user, password-file, tls, tls-ca, dc, consistency, replication, buckets"

// keyspaces are the names that need no quotes in CQL.
var keyspaces = regexp.MustCompile(`^[a-z][a-z0-9_]{0,47}$`)

// consistencies are the levels at which a read sees every write that was
// acknowledged before it, in the processes of one data centre or of all.
var consistencies = map[string]gocql.Consistency{
	"local_quorum": gocql.LocalQuorum, "quorum": gocql.Quorum, "each_quorum": gocql.EachQuorum, "all": gocql.All,
}

// ParseURL parses a URL of the form cassandra://HOST1:9042,HOST2:9042/KEYSPACE. The
// parameters are user, password-file (else PasswordEnv), tls, tls-ca, dc,
// consistency, replication and buckets. It reads the files that it names.
func ParseURL(text string) (Options, error) {
	bad := func(err error) (Options, error) {
		return Options{}, fmt.Errorf("%q: %w; the form is %s", text, err, form)
	}
	rest, ok := strings.CutPrefix(text, "cassandra://")
	if !ok {
		return bad(errors.New("it does not begin with cassandra://"))
	}
	rest, query, _ := strings.Cut(rest, "?")
	hosts, keyspace, _ := strings.Cut(rest, "/")
	if strings.Contains(hosts, "@") { // not quoted: it may hold a password
		return Options{}, fmt.Errorf("a user before the host: allowed are user=NAME and password-file=FILE (or %s) in the parameters; the form is %s", PasswordEnv, form)
	}
	o := Options{Hosts: strings.Split(hosts, ","), Keyspace: strings.TrimSuffix(keyspace, "/")}
	values, err := url.ParseQuery(query)
	if err != nil {
		return bad(err)
	}
	if values.Has("password") {
		return Options{}, fmt.Errorf("password=: everybody on the machine sees it there: name a file with password-file, or set %s; the form is %s", PasswordEnv, form)
	}
	if err := o.set(values); err != nil {
		return bad(err)
	}
	if o, err = o.withDefaults(); err != nil {
		return bad(err)
	}
	return o, nil
}

// set takes the parameters of a URL.
func (o *Options) set(values url.Values) (err error) {
	var file, ca string
	var encrypt bool
	for name, v := range values {
		if len(v) != 1 {
			return fmt.Errorf("%s is there %d times", name, len(v))
		}
		switch name {
		case "user":
			o.User = v[0]
		case "password-file":
			file = v[0]
		case "tls":
			if encrypt, err = strconv.ParseBool(v[0]); err != nil {
				return fmt.Errorf("tls is %q: allowed are true and false", v[0])
			}
		case "tls-ca":
			ca = v[0]
		case "dc":
			o.DC = v[0]
		case "consistency":
			if o.Consistency, err = consistencyOf(v[0]); err != nil {
				return err
			}
		case "replication":
			if o.Replication, err = number(name, v[0]); err != nil {
				return err
			}
		case "buckets":
			if o.Buckets, err = number(name, v[0]); err != nil {
				return err
			}
		default:
			return fmt.Errorf("%s is not known; allowed are %s", name, parameters)
		}
	}
	if err := o.setPassword(file); err != nil {
		return err
	}
	return o.setTLS(encrypt, values.Has("tls"), ca)
}

func number(name, text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%s is %q: allowed is a number from 1", name, text)
	}
	return n, nil
}

func (o *Options) setPassword(file string) error {
	switch {
	case o.User == "" && file != "":
		return errors.New("password-file without user")
	case o.User == "":
		return nil
	case file == "":
		o.Password = os.Getenv(PasswordEnv)
	default:
		text, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("password-file: %w", err)
		}
		o.Password = string(bytes.TrimRight(text, "\r\n"))
	}
	if o.Password == "" {
		return fmt.Errorf("no password for user %s: name its file with password-file, or set %s", o.User, PasswordEnv)
	}
	return nil
}

// setTLS makes the configuration of TLS. A file with authorities implies it.
func (o *Options) setTLS(encrypt, asked bool, ca string) error {
	if ca != "" && asked && !encrypt {
		return errors.New("tls-ca together with tls=false")
	}
	if !encrypt && ca == "" {
		return nil
	}
	o.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	if ca == "" {
		return nil
	}
	pem, err := os.ReadFile(ca)
	if err != nil {
		return fmt.Errorf("tls-ca: %w", err)
	}
	o.TLS.RootCAs = x509.NewCertPool()
	if !o.TLS.RootCAs.AppendCertsFromPEM(pem) {
		return fmt.Errorf("tls-ca %s: allowed is a file with certificates in PEM", ca)
	}
	return nil
}

// withDefaults fills in unset options and checks the others.
func (o Options) withDefaults() (Options, error) {
	hosts, err := addresses(o.Hosts)
	if err != nil {
		return o, err
	}
	o.Hosts = hosts
	if o.Consistency == 0 {
		o.Consistency = gocql.LocalQuorum
	}
	o.CallTime = orDefault(o.CallTime, 5*time.Second)
	o.Parallel = orDefault(o.Parallel, 32)
	o.pageRows = orDefault(o.pageRows, 5_000)
	o.openTime = orDefault(o.openTime, 15*time.Second)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	switch {
	case o.Keyspace == "":
		return o, errors.New("the keyspace is missing")
	case !keyspaces.MatchString(o.Keyspace):
		return o, fmt.Errorf("keyspace %q: allowed are a lower-case letter, then up to 47 lower-case letters, digits and _", o.Keyspace)
	case o.Replication < 0 || o.Replication > 9:
		return o, fmt.Errorf("replication is %d: allowed are 1 to 9", o.Replication)
	case o.Buckets < 0 || o.Buckets > maxBuckets:
		return o, fmt.Errorf("buckets is %d: allowed are 1 to %d", o.Buckets, maxBuckets)
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

// addresses checks the addresses of nodes and adds missing ports.
func addresses(hosts []string) (all []string, err error) {
	for _, h := range hosts {
		host, port, err := net.SplitHostPort(h)
		if err != nil {
			host, port, err = net.SplitHostPort(h + ":9042")
		}
		if err != nil || host == "" {
			return nil, fmt.Errorf("address %q of Cassandra: allowed is HOST:PORT", h)
		}
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return nil, fmt.Errorf("address %q of Cassandra: port %q is not from 1 to 65535", h, port)
		}
		all = append(all, net.JoinHostPort(host, port))
	}
	if len(all) == 0 {
		return nil, errors.New("no address of Cassandra")
	}
	return all, nil
}

// consistencyOf parses a level. Lower levels would miss acknowledged writes.
func consistencyOf(text string) (gocql.Consistency, error) {
	if c, ok := consistencies[strings.ToLower(text)]; ok {
		return c, nil
	}
	return 0, fmt.Errorf("consistency is %q: allowed are local_quorum, quorum, each_quorum and all (with less, a read may miss what was acknowledged)", text)
}

// serial returns the level of lightweight transactions that fits.
func (o *Options) serial() gocql.Consistency {
	if o.Consistency == gocql.LocalQuorum {
		return gocql.LocalSerial
	}
	return gocql.Serial
}

// url returns the options as a URL, for errors: without what is secret.
func (o *Options) url() string {
	return "cassandra://" + strings.Join(o.Hosts, ",") + "/" + o.Keyspace
}
