package hbase

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/tsuna/gohbase/pb"
	"google.golang.org/protobuf/proto"

	"speedlayer/store/hbase/client"
)

// A server that cannot be used is refused at start, in time. The error names what
// to change, and nothing is written.
func TestClusterStart(t *testing.T) {
	good := options(t)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := closed.Addr().String()
	closed.Close()
	// The listener accepts connections and never answers.
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })

	for _, c := range []struct {
		name   string
		change func(o *Options)
		want   string
	}{
		{"unknown host", func(o *Options) { o.Quorum = []string{"no-such-host.invalid:2181"} }, `"no-such-host.invalid" of ZooKeeper is not known`},
		{"nobody listens", func(o *Options) { o.Quorum = []string{nobody} }, "no answer from ZooKeeper at " + nobody},
		{"nobody answers", func(o *Options) { o.Quorum = []string{silent.Addr().String()} }, "no answer from ZooKeeper"},
		{"wrong path", func(o *Options) { o.ZNode = "/nothing" }, "no HBase under /nothing"},
		{"it says which path", func(o *Options) { o.ZNode = "/nothing" }, "there is one under " + good.ZNode},
		{"no such namespace", func(o *Options) { o.Prefix = "nosuch:web" }, `make namespace "nosuch" first`},
		{"a compression that is not there", func(o *Options) { o.Compression = "zstd" }, "compression=none"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel() // some wait for as long as Open does
			o := good
			o.Prefix = fresh()
			c.change(&o)
			began := time.Now()
			s, err := Open(t.Context(), o)
			if err == nil {
				s.Close()
				t.Fatal("it opens")
			}
			if took := time.Since(began); took > openTime+time.Second {
				t.Errorf("it took %v", took)
			}
			if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "--store hbase://") {
				t.Errorf("%v: want %q", err, c.want)
			}
			none(t, good, o.Prefix)
		})
	}
}

// none checks that no table has the prefix.
func none(t *testing.T, o Options, prefix string) {
	t.Helper()
	if got := tablesOf(t, o, prefix+"_"); len(got) > 0 {
		t.Errorf("tables %v were left behind", got)
	}
}

// direct returns a store without opening it: its parts, without any check.
func direct(t *testing.T, o Options) *Store {
	t.Helper()
	o, err := o.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	s := &Store{opts: o, names: names{o.Prefix}, master: client.NewMaster(o.client()), client: client.New(o.client())}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func tablesOf(t *testing.T, o Options, prefix string) []string {
	t.Helper()
	got, err := direct(t, o).master.Tables(t.Context(), prefix)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// Tables that others have created are not touched.
func TestClusterStartBesideOthers(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(ctx context.Context, s *Store) error
		want string
	}{
		{"another layout", func(ctx context.Context, s *Store) error {
			if err := s.create(ctx, s.names.control(), []string{controlFamily}, nil); err != nil {
				return err
			}
			return s.client.Put(ctx, s.names.control(), layoutRow, controlFamily, client.Columns{versionColumn: []byte("99")}, client.ServerTime)
		}, `has layout "99", this program's is ` + layoutVersion},
		{"another program's table", func(ctx context.Context, s *Store) error {
			return s.create(ctx, s.names.control(), []string{"other"}, nil)
		}, "is none of speedlayer's"},
		{"rows without a layout", func(ctx context.Context, s *Store) error {
			if err := s.create(ctx, s.names.control(), []string{controlFamily}, nil); err != nil {
				return err
			}
			return s.client.Put(ctx, s.names.control(), "x", controlFamily, client.Columns{"y": nil}, client.ServerTime)
		}, "none that names its layout"},
		{"no control table", func(ctx context.Context, s *Store) error {
			return s.create(ctx, s.names.cells(0), []string{"1"}, nil)
		}, "take another prefix"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := options(t)
			if err := c.make(t.Context(), direct(t, o)); err != nil {
				t.Fatal(err)
			}
			before := tablesOf(t, o, o.Prefix)
			s, err := Open(t.Context(), o)
			if err == nil {
				s.Close()
				t.Fatal("it opens")
			}
			if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "prefix") {
				t.Errorf("%v: want %q", err, c.want)
			}
			if after := tablesOf(t, o, o.Prefix); strings.Join(after, " ") != strings.Join(before, " ") {
				t.Errorf("tables were %v, are %v", before, after)
			}
		})
	}
}

// A process killed between creating the table and its first row is not an obstacle.
func TestClusterStartHalfDone(t *testing.T) {
	o := options(t)
	d := direct(t, o)
	if err := d.create(t.Context(), d.names.control(), []string{controlFamily}, nil); err != nil {
		t.Fatal(err)
	}
	open(t, o).Close()
	open(t, o).Close()
}

func TestCheckVersion(t *testing.T) {
	for v, ok := range map[string]bool{"2.6.4": true, "2.4.0": true, "2.10.1-SNAPSHOT": true, "2.3.9": false, "1.4.14": false,
		"3.0.0": false, "": false, "two": false, "2": false} {
		err := checkVersion(&pb.ClusterStatus{HbaseVersion: &pb.HBaseVersionFileContent{Version: proto.String(v)}})
		if (err == nil) != ok {
			t.Errorf("%q: %v", v, err)
		}
		if err != nil && !strings.Contains(err.Error(), fmt.Sprintf("%q", v)) {
			t.Errorf("%q: %v does not name it", v, err)
		}
	}
}
