package cassandra

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"speedlayer/internal/devcluster"
	"speedlayer/internal/devcluster/clustertest"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// trusting returns a configuration of TLS that trusts the test's servers, or nobody.
func trusting(t *testing.T, them bool) *tls.Config {
	t.Helper()
	c := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: x509.NewCertPool()}
	if them {
		pem, err := os.ReadFile(cluster.Get(t).Authority())
		must(t, err)
		c.RootCAs.AppendCertsFromPEM(pem)
	}
	return c
}

// admin returns a session for what a test prepares.
func admin(t testing.TB, o Options) *gocql.Session {
	t.Helper()
	o, err := o.withDefaults()
	must(t, err)
	session, err := connect(t.Context(), o.firstConfig())
	must(t, err)
	t.Cleanup(session.Close)
	return session
}

func run(t testing.TB, session *gocql.Session, statements ...string) {
	t.Helper()
	for _, text := range statements {
		if err := session.Query(text).ExecContext(t.Context()); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
}

func hasKeyspace(t testing.TB, session *gocql.Session, name string) bool {
	t.Helper()
	var one string
	err := session.Query("SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = ?", name).ScanContext(t.Context(), &one)
	if err != nil && !errors.Is(err, gocql.ErrNotFound) {
		t.Fatal(err)
	}
	return err == nil
}

// A server that cannot be used is refused at start, in time. The error names what to
// change, and nothing is written.
func TestClusterStart(t *testing.T) {
	good := options(t)
	session := admin(t, good)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	nobody := closed.Addr().String()
	closed.Close()
	// The listener accepts connections and never answers.
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { silent.Close() })

	for _, c := range []struct {
		name   string
		change func(o *Options)
		want   string
		lasts  bool // waiting does not cure it
	}{
		{"unknown host", func(o *Options) { o.Hosts = []string{"no-such-host.invalid:9042"} }, "no-such-host.invalid", false},
		{"nobody listens", func(o *Options) { o.Hosts = []string{nobody} }, "no answer from Cassandra at " + nobody, false},
		{"nobody answers", func(o *Options) { o.Hosts = []string{silent.Addr().String()} }, "no answer from Cassandra at " + silent.Addr().String(), false},
		{"wrong password", func(o *Options) { o.Password = "guess" }, `the password of user "` + devcluster.User + `" is wrong`, true},
		{"no user", func(o *Options) { o.User = "" }, "Cassandra asks for a user and a password", true},
		{"no rights", func(o *Options) { o.User = devcluster.Guest }, `user "guest" lacks rights: GRANT CREATE`, true},
		{"an authority that did not sign", func(o *Options) { o.TLS = trusting(t, false) }, "did the authority in tls-ca=", true},
		{"no such data centre", func(o *Options) { o.DC = "moon" }, "dc=moon: the nodes are in datacenter1", true},
		{"too many replicas", func(o *Options) { o.Replication = 3 }, "data centre datacenter1 has 1 nodes", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel() // some wait for as long as Open does
			o := good
			o.Keyspace, o.openTime = fresh(), 0
			c.change(&o)
			began := time.Now()
			s, err := Open(t.Context(), o)
			if err == nil {
				s.Close()
				t.Fatal("it opens")
			}
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("it took %v", took)
			}
			if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "--store cassandra://") {
				t.Errorf("%v: want %q", err, c.want)
			}
			if strings.Contains(err.Error(), devcluster.Password) {
				t.Errorf("%v shows the password", err)
			}
			if settings := (settingsError{}); errors.As(err, &settings) != c.lasts {
				t.Errorf("%v: waiting cures it: %v", err, !c.lasts)
			}
			if hasKeyspace(t, session, o.Keyspace) {
				t.Errorf("keyspace %s was left behind", o.Keyspace)
			}
		})
	}
}

// Keyspaces that others have created are not touched.
func TestClusterStartInSharedCluster(t *testing.T) {
	good := options(t)
	session := admin(t, good)
	const replication = " WITH replication = {'class': 'NetworkTopologyStrategy', 'datacenter1': 1}"
	for _, c := range []struct {
		name, with string
		tables     []string
		change     func(o *Options)
		want       string
	}{
		{"another layout", "", []string{"control (" + controlColumns + ")"}, nil, `has layout "{\"version\":99}", this program's is version 1`},
		{"another program's table", "", []string{"control (a int PRIMARY KEY)"}, nil, "is none of speedlayer's"},
		{"tables without ours", "", []string{"orders (a int PRIMARY KEY)"}, nil, "has tables like orders, but no control"},
		{"writes that are not durable", " AND durable_writes = false", nil, nil, "ALTER KEYSPACE"},
		{"another number of replicas", "", nil, func(o *Options) { o.Replication = 2 }, "has 1 replicas in data centre datacenter1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := good
			o.Keyspace = fresh()
			run(t, session, "CREATE KEYSPACE "+o.Keyspace+replication+c.with)
			for _, table := range c.tables {
				run(t, session, "CREATE TABLE "+o.Keyspace+"."+table)
			}
			if strings.Contains(c.want, "99") {
				run(t, session, "INSERT INTO "+o.Keyspace+`.control (name, value) VALUES ('layout', textAsBlob('{"version":99}')) IF NOT EXISTS`)
			}
			if c.change != nil {
				c.change(&o)
			}
			s, err := Open(t.Context(), o)
			if err == nil {
				s.Close()
				t.Fatal("it opens")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v: want %q", err, c.want)
			}
			tables := tablesOf(t, session, o.Keyspace)
			if len(tables) != len(c.tables) {
				t.Errorf("tables are %v", tables)
			}
		})
	}
}

func tablesOf(t testing.TB, session *gocql.Session, keyspace string) (all []string) {
	t.Helper()
	iter := session.Query(listTables, keyspace).IterContext(t.Context())
	for name := ""; iter.Scan(&name); {
		all = append(all, name)
	}
	must(t, iter.Close())
	slices.Sort(all)
	return all
}

// A process killed between two tables is not an obstacle, nor are two that start at the
// same time. With TLS the store is the same; other buckets than it was made with are
// refused.
func TestClusterStartHalfDone(t *testing.T) {
	o := options(t)
	o.Buckets = 4
	half := newStore(o)
	t.Cleanup(half.requests.close)
	must(t, half.connect(t.Context()))
	must(t, half.define(t.Context(), half.createTable(daysTable, "", daysColumns, "")))
	encrypted := o
	encrypted.TLS = trusting(t, true)
	opened := make(chan error, 2)
	for _, o := range []Options{o, encrypted} {
		go func() {
			s, err := Open(t.Context(), o)
			if err == nil {
				if s.layout.Buckets != 4 {
					t.Errorf("%d buckets", s.layout.Buckets)
				}
				err = s.Close()
			}
			opened <- err
		}()
	}
	for range 2 {
		must(t, <-opened)
	}
	o.Buckets = 8
	if s, err := Open(t.Context(), o); err == nil {
		s.Close()
		t.Error("it opens with other buckets")
	} else if !strings.Contains(err.Error(), "was made with 4 buckets, not 8") {
		t.Errorf("%v", err)
	}
}

// A commit log that is synced now and then is refused where it holds the only copy.
func TestClusterPeriodicSync(t *testing.T) {
	c := clustertest.Start(t, devcluster.Options{Cassandra: true, CassandraSync: devcluster.SyncPeriodic})
	o, err := ParseURL("cassandra://" + c.CassandraNodes()[0] + "/" + fresh())
	must(t, err)
	s, err := Open(t.Context(), o)
	if err == nil {
		s.Close()
		t.Fatal("it opens")
	}
	if !strings.Contains(err.Error(), "commitlog_sync: periodic") || !strings.Contains(err.Error(), "up to 10 s of acknowledged pageviews are lost") {
		t.Errorf("%v", err)
	}
	if hasKeyspace(t, admin(t, o), o.Keyspace) {
		t.Error("the keyspace was made before the check")
	}
}
